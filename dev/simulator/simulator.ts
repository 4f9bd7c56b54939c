import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Hono } from "hono";
import { z } from "zod";
import { pagesOf } from "../../src/node/pages.ts";
import { type Emulator, listen, type OnNode } from "../emulators/server.ts";
import type { Stack } from "../stack.ts";
import { type Act, actSchema } from "./act.ts";
import { createActor } from "./actor.ts";
import { createClock } from "./clock.ts";
import { createFaultRules } from "./faults.ts";
import { createFeed } from "./feed.ts";
import { createSentFiles } from "./files.ts";
import { mountFrames } from "./frames/frames.ts";
import { passUpgrades } from "./frames/upgrades.ts";
import { createInsideReader } from "./inside.ts";
import { createLogLines } from "./log-lines.ts";
import { DEVICES, type Person, type Playing, type Snapshot } from "./model.ts";
import { createPeople } from "./people.ts";
import { play } from "./player.ts";
import { type Recorder, record } from "./recorder.ts";
import { inWords, Refused } from "./refused.ts";
import { type Scenario, scenarioSchema } from "./scenario.ts";
import { createScreens } from "./screens/screens.ts";
import { showSent as showTelegram, showUpdate } from "./screens/telegram.ts";
import { showWebhook as showWebhooks, showSent as showWhatsApp } from "./screens/whatsapp.ts";
import { createWireLog } from "./wire.ts";

/** The simulator beside a running stack. */
export interface Simulator extends Emulator {
  /** Takes a line of the Worker's output. */
  log(line: string): void;
}

/** Where scenarios lie: the tests replay every file there. */
export const SCENARIOS = resolve(import.meta.dirname, "../../test/scenarios");

/** How long after something happened the database is read, and how often at least. */
const LOOK_AFTER_MS = 60;
const LOOK_EVERY_MS = 1_000;
const MOST_BYTES = 16 * 1024 * 1024;
/** So that people can read along. */
const READING_PACE_MS = 1_600;

const playSchema = z.strictObject({
  /** The name of a file in the folder of scenarios. */
  name: scenarioSchema.shape.name.optional(),
  scenario: scenarioSchema.optional(),
  pause_ms: z.int().min(0).max(60_000).default(READING_PACE_MS),
});
const recordSchema = scenarioSchema.pick({ name: true, title: true }).extend({ person: z.uuid() });

/**
 * Serves `/simulator` on loopback: four devices over the emulators, the hub from inside, faults, a clock and scenarios. Its
 * API takes and gives JSON; an error is `{error, word}` with 400, where `word` is the name of a page's text. Only `npm run dev` starts it.
 *
 * - `POST /simulator/api/people {name?}` -> a person; `POST /simulator/api/people/<id>/act` takes an act (`act.ts`)
 * - `GET /simulator/api/stream?person=<id>`: server-sent events, a snapshot and then every change (`model.ts`)
 * - `POST /simulator/api/files?type=&name=&seconds=` with bytes -> `{file}`, which an act names
 * - `POST /simulator/api/wire/<n>/replay`: the webhook once more
 * - `POST /simulator/api/record`, `POST /simulator/api/record/end`, `POST /simulator/api/play`, `POST /simulator/api/stop`
 * - `GET /simulator/api/scenarios/<name>` -> a scenario
 * - `GET /simulator/device/<person>/<kiosk|web>`: the page of a device, for a frame. Its calls pass through here (`frames/`)
 */
export async function startSimulator(stack: Stack): Promise<Simulator> {
  const { settings, networks } = stack;
  const folder = settings.scenarios ?? SCENARIOS;
  const hub = `http://127.0.0.1:${settings.ports.PORT}`;
  const feed = createFeed();
  const people = createPeople();
  const clock = await createClock(settings.dir, hub, [stack.telegram, stack.whatsapp]);
  const files = createSentFiles();
  const screens = createScreens(
    {
      urlOf: (id) => (files.get(String(id)) ? `/simulator/api/files/${id}` : undefined),
      secondsOf: (id) => files.get(String(id))?.seconds,
    },
    (screen) => feed.tell({ type: "screen", screen }),
    () => Date.now() + clock.aheadMs,
  );
  const wire = createWireLog((each) => {
    feed.tell({ type: "wire", wire: each });
    lookSoon();
  });
  const logs = createLogLines((line) => {
    feed.tell({ type: "log", line });
    lookSoon();
  });
  const faults = createFaultRules({ ...stack, networks }, (armed) =>
    feed.tell({ type: "faults", faults: armed }),
  );
  const inside = createInsideReader(stack.postgres.url);
  const watched = new Map<string, string>();
  let worker: Snapshot["worker"] = "up";
  let recorder: Recorder | undefined;
  let playing: Playing | undefined;
  let stopping = new AbortController();

  const actor = createActor({
    ...{ stack, screens, wire, files, faults, clock, inside, kill },
    told: {
      person: (person) => feed.tell({ type: "person", person }),
      clock: (ahead_ms) => feed.tell({ type: "clock", ahead_ms }),
      delivering: (delivering) => feed.tell({ type: "delivering", delivering }),
    },
  });
  /** Where the tick of each webhook on its way belongs. */
  const ticks = new Map<string, { address: string; id: string }[]>();
  stack.watch((device, seen) => {
    if (seen.what === "webhook") showWebhook(device, seen.attempt, seen.body);
    if (seen.what === "answer") showAnswer(device, seen.attempt, seen.status);
    if (seen.what === "sent") (device === "telegram" ? showTelegram : showWhatsApp)(screens, seen.entry);
    else wire.saw(device, seen);
    if (seen.what === "call" && faults.armed.length > 0) void faults.refresh();
  });
  if (clock.aheadMs > 0) await clock.apply();

  function showWebhook(device: "telegram" | "whatsapp", attempt: string, text: string): void {
    const body = parse(text);
    if (!body) return;
    const shown =
      device === "telegram"
        ? [showUpdate(screens, body)].filter((one) => one !== undefined)
        : showWebhooks(screens, body);
    if (shown.length > 0) ticks.set(attempt, shown);
  }

  function showAnswer(device: "telegram" | "whatsapp", attempt: string, status: number): void {
    for (const { address, id } of ticks.get(attempt) ?? [])
      if (status >= 200 && status < 300)
        screens.change(device, address, ({ bubbles }) => {
          const at = bubbles.findIndex((one) => one.id === id && one.tick === "sent");
          if (at >= 0) bubbles[at] = { ...bubbles[at]!, tick: "delivered" };
        });
    ticks.delete(attempt);
  }

  async function kill(): Promise<void> {
    const is = (state: Snapshot["worker"]) => {
      worker = state;
      feed.tell({ type: "worker", worker });
    };
    is("starting");
    await stack.restartWorker({ SIMULATOR_AHEAD_MS: String(clock.aheadMs) });
    is("up");
  }

  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  function lookSoon(): void {
    if (watched.size > 0) timer ??= setTimeout(() => void look(), LOOK_AFTER_MS);
  }
  async function look(): Promise<void> {
    timer = undefined;
    await looking;
    looking = (async () => {
      for (const [id, before] of watched) {
        const person = people.find(id);
        const now = await inside.read(person, actor.held(person));
        const text = JSON.stringify(now);
        if (text === before || !watched.has(id)) continue;
        watched.set(id, text);
        feed.tell({ type: "inside", person: id, inside: now });
      }
    })();
    await looking;
  }
  const every = setInterval(() => feed.readers > 0 && lookSoon(), LOOK_EVERY_MS);

  async function snapshot(person: Person): Promise<Snapshot> {
    return {
      person,
      screens: DEVICES.map((device) => actor.screen(person, device)),
      wire: wire.list,
      logs: logs.list,
      inside: await inside.read(person, actor.held(person)),
      faults: faults.armed,
      delivering: actor.delivering,
      ahead_ms: clock.aheadMs,
      worker,
      ...(recorder && { recording: { name: recorder.name, steps: recorder.steps } }),
      ...(playing && { playing }),
      scenarios: await scenarios(),
    };
  }

  async function scenarios(): Promise<Snapshot["scenarios"]> {
    const names = await readdir(folder).catch(() => []);
    const found = names.filter((name) => name.endsWith(".json")).sort();
    return Promise.all(
      found.map(async (file) => {
        const { name, title, steps } = await read(file.slice(0, -".json".length));
        return { name, title, steps: steps.length };
      }),
    );
  }

  async function read(name: string): Promise<Scenario> {
    const text = await readFile(join(folder, `${name}.json`), "utf8").catch(() => {
      throw new Refused(`there is no scenario ${name}`, "noScenario");
    });
    return scenarioSchema.parse(JSON.parse(text));
  }

  /** Notes an act of the person who is recorded. */
  function note(person: Person, act: Act): void {
    if (recorder?.person.id !== person.id) return;
    recorder.note(act);
    feed.tell({ type: "recording", recording: { name: recorder.name, steps: recorder.steps } });
  }

  /** What was done in a frame is recorded as an act that does the same. */
  function did(person: Person, act: Act): void {
    try {
      note(person, act);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // It answers a message that another device shows.
      if (act.do === "write") note(person, { do: "write", device: act.device, text: act.text });
    }
    if (act.do !== "number") return;
    person.phone = act.phone;
    feed.tell({ type: "person", person });
  }

  const app = new Hono<OnNode>();
  mountFrames(app, {
    ...{ hub, wire, did },
    key: settings.vars.KIOSK_API_KEY!.split(",")[0]!.trim(),
    pagesDir: () => stack.pagesDir,
    person: people.find,
    device: actor.page,
  });
  app.post("/simulator/api/turn", (c) => c.json(faults.turn()));
  app.post("/simulator/api/people", async (c) => {
    const { name } = z
      .strictObject({ name: z.string().min(1).max(60).optional() })
      .parse(await bodyOf(c.req.raw));
    return c.json(people.add(name));
  });
  app.post("/simulator/api/people/:id/act", async (c) => {
    const person = people.find(c.req.param("id"));
    const act = actSchema.parse(await bodyOf(c.req.raw));
    note(person, act);
    await actor.perform(person, act);
    lookSoon();
    return c.json({});
  });
  app.get("/simulator/api/stream", (c) => {
    const person = people.find(c.req.query("person") ?? "");
    watched.set(person.id, "");
    c.env.outgoing.once("close", () => {
      if (feed.readers === 0) watched.clear();
    });
    const stream = feed.open(async () => ({ type: "snapshot", snapshot: await snapshot(person) }));
    return c.body(stream, 200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  });
  app.post("/simulator/api/files", async (c) => {
    const { type = "application/octet-stream", name = "file", seconds } = c.req.query();
    const bytes = new Uint8Array(await c.req.arrayBuffer());
    if (bytes.byteLength > MOST_BYTES) throw new Refused("the file is larger than 16 MB", "tooLarge");
    return c.json({ file: files.add({ type, name, bytes, ...(seconds && { seconds: Number(seconds) }) }) });
  });
  app.get("/simulator/api/files/:id", (c) => {
    const file = files.get(c.req.param("id"));
    // Only these are shown and played; a page of somebody's must not run here.
    if (!file || !/^(image\/(png|jpeg|gif|webp)|(audio|video)\/[\w.+-]+)(;|$)/.test(file.type))
      return c.body(null, 404);
    return c.body(file.bytes, 200, { "content-type": file.type, "x-content-type-options": "nosniff" });
  });
  app.post("/simulator/api/wire/:n/replay", async (c) => {
    await actor.replay(Number(c.req.param("n")));
    return c.json({});
  });
  app.post("/simulator/api/record", async (c) => {
    const { person, ...named } = recordSchema.parse(await bodyOf(c.req.raw));
    recorder = record(named, { person: people.find(person), actor, inside, files });
    feed.tell({ type: "recording", recording: { name: recorder.name, steps: 0 } });
    return c.json({});
  });
  app.post("/simulator/api/record/end", async (c) => {
    if (!recorder) throw new Refused("nothing is being recorded", "nothingRecorded");
    const ended = recorder;
    recorder = undefined;
    feed.tell({ type: "recording", recording: null });
    if (ended.steps === 0) throw new Refused("nothing was done, so nothing is saved", "nothingRecorded");
    const scenario = await ended.end();
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${scenario.name}.json`), `${JSON.stringify(scenario, null, 2)}\n`);
    feed.tell({ type: "scenarios", scenarios: await scenarios() });
    return c.json({ file: join(folder, `${scenario.name}.json`), scenario });
  });
  app.get("/simulator/api/scenarios/:name", async (c) => c.json(await read(c.req.param("name"))));
  app.post("/simulator/api/play", async (c) => {
    const { name, scenario, pause_ms } = playSchema.parse(await bodyOf(c.req.raw));
    const chosen = scenario ?? (await read(name ?? "story"));
    if (playing && !playing.ended) throw new Refused(`${playing.name} is being played`, "alreadyPlaying");
    const person = people.add(chosen.customer);
    stopping = new AbortController();
    void play(chosen, {
      ...{ person, actor, inside, pauseMs: pause_ms, signal: stopping.signal },
      told: (state) => {
        playing = state;
        feed.tell({ type: "playing", playing });
      },
    });
    return c.json(person);
  });
  app.post("/simulator/api/stop", (c) => {
    stopping.abort();
    return c.json({});
  });
  // The page lives here too, so that it lives on while the Worker is killed.
  const pages = pagesOf(stack.pagesDir);
  app.get("*", async (c) => (await pages?.(c.req.raw)) ?? c.notFound());
  app.onError((thrown, c) => {
    const error = inWords(thrown);
    if (error instanceof Refused) return c.json({ error: error.message, word: error.word }, 400);
    if (error instanceof z.ZodError)
      return c.json({ error: z.prettifyError(error), word: "notUnderstood" }, 400);
    console.error("simulator:", error);
    return c.json({ error: "the simulator failed; its terminal says why" }, 500);
  });

  const server = await listen(app, settings.ports.SIMULATOR_PORT, () => {
    clearInterval(every);
    clearTimeout(timer);
    stopping.abort();
    actor.close();
    feed.close();
  });
  passUpgrades(server, settings.ports.PORT);
  return {
    ...server,
    log: logs.add,
    stop: async () => {
      await server.stop();
      await inside.end();
    },
  };
}

/** The JSON of a call; `{}` for an empty body. */
async function bodyOf(request: Request): Promise<unknown> {
  const text = await request.text();
  if (text === "") return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused("the body is not JSON", "notUnderstood");
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined; // a webhook of any bytes, which no device shows
  }
}
