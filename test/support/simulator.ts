import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { z } from "zod";
import type { Act } from "../../dev/simulator/act.ts";
import type { Bubble, Change, DeviceName, Person, Playing, Snapshot } from "../../dev/simulator/model.ts";
import type { scenarioSchema } from "../../dev/simulator/scenario.ts";
import { ownEnvironment, type Program, run } from "./program.ts";

/** A whole local stack with its simulator. */
export interface SimulatedStack {
  /** The simulator's address. */
  readonly url: string;
  readonly hub: string;
  readonly dev: Program;
  /** Where recorded scenarios lie. */
  readonly scenarios: string;
  call<T>(path: string, body?: object): Promise<T>;
  /** A new person, and what their page would know. */
  person(): Promise<Played>;
  /** Plays a scenario without pauses, and waits for its end. */
  play(scenario: z.input<typeof scenarioSchema>): Promise<Playing>;
  stop(): Promise<void>;
}

/** One person at the simulator. */
export interface Played {
  readonly person: Person;
  act(act: Act): Promise<void>;
  snapshot(): Promise<Snapshot>;
  bubbles(device: DeviceName): Promise<readonly Bubble[]>;
  /** The texts of the hub on a device, once there are that many. */
  answers(device: DeviceName, count: number): Promise<string[]>;
}

/** Runs `npm run dev` on free ports, with state and scenarios in folders of their own. */
export async function startSimulatedStack(more: NodeJS.ProcessEnv = {}): Promise<SimulatedStack> {
  const scenarios = await mkdtemp(join(tmpdir(), "scenarios-"));
  const env: NodeJS.ProcessEnv & { LOCAL_DIR: string } = {
    ...(await ownEnvironment()),
    NO_COLOR: "1",
    SCENARIOS_DIR: scenarios,
    ...more,
  };
  const dev = run(env, "dev/dev.ts");
  await dev.says("Ctrl-C stops everything");
  const url = `http://127.0.0.1:${env.SIMULATOR_PORT}`;

  async function call<T>(path: string, body?: object): Promise<T> {
    const answer = await fetch(`${url}/simulator/api/${path}`, {
      ...(body && { method: "POST", body: JSON.stringify(body) }),
    });
    const said = (await answer.json()) as T & { error?: string };
    if (!answer.ok) throw new Error(said.error);
    return said;
  }

  async function snapshotOf({ id }: Person): Promise<Snapshot> {
    const leaving = new AbortController();
    const answer = await fetch(`${url}/simulator/api/stream?person=${id}`, { signal: leaving.signal });
    let text = "";
    for await (const part of answer.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (text.includes("\n\n")) break;
    }
    leaving.abort();
    const change = JSON.parse(text.slice("data: ".length, text.indexOf("\n\n"))) as Change;
    if (change.type !== "snapshot") throw new Error(`the stream begins with ${change.type}`);
    return change.snapshot;
  }

  function played(person: Person): Played {
    const snapshot = () => snapshotOf(person);
    const bubbles = async (device: DeviceName) =>
      (await snapshot()).screens.find((screen) => screen.device === device)!.bubbles;
    return {
      person,
      snapshot,
      bubbles,
      act: (act) => call(`people/${person.id}/act`, act),
      async answers(device, count) {
        let texts: string[] = [];
        await expect
          .poll(
            async () => {
              texts = (await bubbles(device)).flatMap(({ by, text, from }) =>
                by === "hub" && !from ? [text ?? ""] : [],
              );
              return texts.length;
            },
            { timeout: 30_000, interval: 100 },
          )
          .toBeGreaterThanOrEqual(count);
        return texts;
      },
    };
  }

  return {
    url,
    hub: `http://127.0.0.1:${env.PORT}`,
    dev,
    scenarios,
    call,
    person: async () => played(await call<Person>("people", {})),
    async play(scenario) {
      const person = await call<Person>("play", { scenario, pause_ms: 0 });
      let playing: Playing | undefined;
      await expect
        .poll(
          async () => {
            playing = (await snapshotOf(person)).playing;
            return playing?.ended;
          },
          { timeout: 120_000, interval: 100 },
        )
        .toBe(true);
      return playing!;
    },
    async stop() {
      dev.child.kill("SIGINT");
      await dev.ended;
      await rm(env.LOCAL_DIR, { recursive: true, force: true });
      await rm(scenarios, { recursive: true, force: true });
    },
  };
}
