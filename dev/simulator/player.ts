import { setTimeout as pause } from "node:timers/promises";
import type { Actor } from "./actor.ts";
import type { InsideReader } from "./inside.ts";
import { DEVICES, type Person, type Playing } from "./model.ts";
import type { Scenario, Shown } from "./scenario.ts";
import { newOn, saysSame, shownOf } from "./shown.ts";

export interface PlayParts {
  readonly person: Person;
  readonly actor: Actor;
  readonly inside: InsideReader;
  /** The pause after each step, so that people can read along. */
  readonly pauseMs: number;
  readonly signal: AbortSignal;
  readonly told: (playing: Playing) => void;
}

/** How long a device may take to show what a step promises. */
const SHOWN_WITHIN_MS = 20_000;
/** How long something else may be shown: a streamed answer grows to what was recorded. */
const SURPRISE_MS = 3_000;
const LOOK_MS = 20;

/** Plays a scenario. The last that it tells has `ended`, and `failure` if a device did not show what was recorded. */
export async function play({ name, steps, ends }: Scenario, parts: PlayParts): Promise<Playing> {
  const { person, actor, inside, pauseMs, signal, told } = parts;
  const seen = new Set<string>();
  let playing: Playing = { name, step: 0, steps: steps.length };
  const tell = (change: Partial<Playing>) => {
    playing = { ...playing, ...change };
    told(playing);
  };

  try {
    for (const [i, { say, act, shows }] of steps.entries()) {
      signal.throwIfAborted();
      tell({ step: i + 1, saying: say ?? "" });
      await actor.perform(person, act);
      await until(shows, `step ${i + 1} (${act.do})`);
      if (pauseMs > 0) await pause(pauseMs, undefined, { signal });
    }
    await until([], "the end");
    if (ends) await endsAs(ends.sessions);
    tell({ ended: true });
  } catch (error) {
    tell({ ended: true, failure: signal.aborted ? "stopped" : (error as Error).message });
  }
  return playing;

  /** Waits until the devices have shown all of this, and fails on anything else. */
  async function until(expected: readonly Shown[], where: string): Promise<void> {
    const deadline = Date.now() + SHOWN_WITHIN_MS;
    let surprisedAt: number | undefined;
    for (;;) {
      signal.throwIfAborted();
      const fresh = DEVICES.flatMap((device) =>
        newOn(actor.screen(person, device), seen).map((bubble) => ({
          id: bubble.id,
          shown: shownOf(device, bubble, person),
        })),
      );
      const wanted = [...expected];
      const surprises = fresh.filter(({ shown }) => {
        const at = wanted.findIndex((one) => saysSame(one, shown));
        if (at >= 0) wanted.splice(at, 1);
        return at < 0;
      });
      if (surprises.length === 0) surprisedAt = undefined;
      else surprisedAt ??= Date.now();
      if (surprisedAt !== undefined && Date.now() - surprisedAt > SURPRISE_MS)
        throw new Error(
          `${where}: a device shows ${JSON.stringify(surprises[0]!.shown)}, which was not recorded`,
        );
      if (wanted.length === 0 && surprises.length === 0) {
        for (const { id } of fresh) seen.add(id);
        return;
      }
      if (wanted.length > 0 && Date.now() > deadline)
        throw new Error(`${where}: no device shows ${JSON.stringify(wanted[0])}`);
      await pause(LOOK_MS, undefined, { signal });
    }
  }

  async function endsAs(expected: NonNullable<Scenario["ends"]>["sessions"]): Promise<void> {
    const { sessions } = await inside.read(person, actor.held(person));
    const are = sessions.map(({ status, channels }) => ({ status, channels }));
    const wanted = expected.map(({ status, channels }) => ({ status, channels }));
    if (JSON.stringify(are) !== JSON.stringify(wanted))
      throw new Error(`the sessions end as ${JSON.stringify(are)}, not as ${JSON.stringify(wanted)}`);
  }
}
