import type { Act } from "./act.ts";
import type { Actor } from "./actor.ts";
import type { SentFiles } from "./files.ts";
import type { InsideReader } from "./inside.ts";
import { DEVICES, type Person } from "./model.ts";
import { type Scenario, scenarioSchema } from "./scenario.ts";
import { newOn, shownOf } from "./shown.ts";

/** What is being recorded: each act, with what the devices show until the next one. */
export interface Recorder {
  readonly name: string;
  /** Whose acts are noted. */
  readonly person: Person;
  readonly steps: number;
  /** Notes an act that is about to be done. */
  note(act: Act): void;
  /** The scenario. Throws without a step. */
  end(): Promise<Scenario>;
}

export function record(
  { name, title }: { name: string; title: string },
  { person, actor, inside, files }: { person: Person; actor: Actor; inside: InsideReader; files: SentFiles },
): Recorder {
  const steps: Scenario["steps"] = [];
  let before = seen();

  function seen(): Set<string> {
    return new Set(DEVICES.flatMap((device) => actor.screen(person, device).bubbles.map(({ id }) => id)));
  }

  /** Gives the step before what has been shown since. */
  function close(): void {
    const last = steps.at(-1);
    if (last)
      last.shows = DEVICES.flatMap((device) =>
        newOn(actor.screen(person, device), before).map((bubble) => shownOf(device, bubble, person)),
      );
    before = seen();
  }

  return {
    ...{ name, person },
    get steps() {
      return steps.length;
    },
    note(act) {
      close();
      steps.push({ act: lasting(act), shows: [] });
    },
    async end() {
      close();
      const { sessions } = await inside.read(person, actor.held(person));
      const ends = {
        sessions: sessions.map(({ status, channels }) => ({
          status: String(status),
          channels: channels as string[],
        })),
      };
      return scenarioSchema.parse({ name, title, customer: person.name, steps, ends });
    },
  };

  /** The act without ids, which differ from run to run: a message is named by how many newer ones there are. */
  function lasting(act: Act): Act {
    if (!("device" in act)) return act;
    // A file of this machine is not in the scenario: a small one of its kind is sent instead.
    if (act.do === "media") {
      const { file, ...rest } = act;
      const name = file === undefined ? undefined : files.get(file)?.name;
      return { ...rest, ...(name && { name }) };
    }
    const bubble = actor.bubble(person, act);
    if (!bubble) return act;
    const own = actor.screen(person, act.device).bubbles.filter(({ by }) => by === bubble.by);
    const message = { by: bubble.by, back: own.length - 1 - own.findIndex(({ id }) => id === bubble.id) };
    if (act.do === "write") return { ...act, reply_to: message };
    return "message" in act ? ({ ...act, message } as Act) : act;
  }
}
