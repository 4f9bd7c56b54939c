import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HubError, type HubOptions, type Message } from "../../clients/js/src/index.ts";
import { pauseAfter } from "../../clients/js/src/pause.ts";
import { browserStorage, type Device, device, type Shop, startShop } from "./shop.ts";
import { type Storm, stormBefore } from "./storm.ts";

/** `STORM_RUNS=100` runs longer; `STORM_SEED=…` repeats a run, as far as a network can be repeated. */
const numRuns = Number(process.env.STORM_RUNS ?? 6);
const seed = Number(process.env.STORM_SEED ?? Date.now() % 2 ** 31);
const LONGEST_RUN_MS = 60_000;

let shop: Shop;
let people = 0;

beforeAll(async () => {
  shop = await startShop();
}, 120_000);
afterAll(() => shop?.stop());

const pauses = fc.array(fc.integer({ min: 0, max: 250 }), { minLength: 1, maxLength: 5 });
const plan = fc.record({
  weather: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  cutShare: fc.constantFrom(0, 0.3, 0.7),
  /** For each device whether it has a WebSocket, and the pauses before its messages, in ms. */
  devices: fc.array(fc.record({ hasSocket: fc.boolean(), pauses }), { minLength: 2, maxLength: 4 }),
  /** Whether the devices are tabs of one browser, which share a token. */
  areTabs: fc.boolean(),
  /** When all connections are cut at once, in ms. */
  blackouts: fc.array(fc.integer({ min: 0, max: 800 }), { maxLength: 2 }),
  /** When the tabs' session merges with another one of the same customer, in ms, and which of the two is older. */
  merge: fc.option(fc.record({ at: fc.integer({ min: 0, max: 600 }), isOlder: fc.boolean() })),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Repeats a call that the network may refuse. */
async function insist<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof HubError) || !["network", "timeout"].includes(error.code) || tries > 100)
        throw error;
      await later(20);
    }
  }
}

/** The session with which the devices' own merges, with one message and its answer. */
async function other(customer_id: string): Promise<void> {
  const { hub } = device(shop.url, { key: "web-key" });
  await hub.session.start({ customer_id });
  await hub.send("from another session");
  hub.close();
}

/** Each device saw each message of the session once, in order; after a merge the order is that of `seq`. */
async function check(devices: readonly Device[], sent: readonly string[][]): Promise<void> {
  const all = await historyOf(devices[0]!);
  const texts = all.filter(({ direction }) => direction === "inbound").map(({ text }) => text);
  for (const own of sent) expect(texts.filter((text) => own.includes(text))).toEqual(own);
  for (const one of devices) {
    const seen = one.of("message").map(({ message }) => message);
    const inOrder = one.of("merged").length > 0 ? seen.toSorted((a, b) => a.seq - b.seq) : seen;
    expect(inOrder.map(({ text }) => text)).toEqual(all.map(({ text }) => text));
    expect(inOrder.map(({ message_id }) => message_id)).toEqual(all.map(({ message_id }) => message_id));
  }
}

async function historyOf({ hub }: Device): Promise<Message[]> {
  const all: Message[] = [];
  for (let after = "0", more = true; more; ) {
    const page = await hub.history({ after, limit: 200 });
    all.push(...page.messages);
    ({ cursor: after, more } = page);
  }
  return all;
}

const QUICK = { key: "web-key", timeoutMs: 1_500, pingMs: 300, waitSeconds: 1, pauses: [20, 200] } as const;

async function run({ weather, cutShare, devices: plans, areTabs, blackouts, merge }: Plan): Promise<void> {
  const storms: Storm[] = [];
  const devices: Device[] = [];
  const person = `${seed}.${++people}`;
  const customer_id = `storm-${person}`;
  const phone = `+4915${String(100_000_000 + people)}`;
  const merging = areTabs ? merge : null;
  const storage = browserStorage();
  try {
    if (merging?.isOlder) await other(customer_id);
    for (const [i, { hasSocket }] of plans.entries()) {
      const storm = await stormBefore(shop.url, { seed: weather + i, cutShare });
      storms.push(storm);
      // Tabs keep things under the hub's address: to them all it has one.
      const through: typeof fetch = (input, init) => fetch(String(input).replace(shop.url, storm.url), init);
      class Through extends WebSocket {
        constructor(url: string, protocols: string[]) {
          super(url.replace(shop.url.replace("http", "ws"), storm.url.replace("http", "ws")), protocols);
        }
      }
      const way = { fetch: through, WebSocket: hasSocket && Through };
      const one = device(shop.url, { ...QUICK, ...way, ...(areTabs && { storage }) });
      devices.push(one);
      await insist(() => (areTabs && i > 0 ? one.hub.session.restore() : one.hub.session.start({ phone })));
      one.listen();
    }
    const sending = plans.map(async ({ pauses }, i) => {
      const kept: Promise<unknown>[] = [];
      for (const [j, ms] of pauses.entries()) {
        await later(ms);
        kept.push(devices[i]!.hub.send(`${person}.${i}.${j}`));
      }
      await Promise.all(kept);
    });
    const falling = blackouts.map(async (ms) => {
      await later(ms);
      for (const storm of storms) storm.cutAll();
    });
    const joining = async () => {
      if (!merging) return;
      await later(merging.at);
      if (!merging.isOlder) await other(customer_id);
      await insist(() => devices[0]!.hub.session.update({ customer_id }));
    };
    await Promise.all([...sending, ...falling, joining()]);
    for (const storm of storms) storm.calm();
    const sent = plans.map(({ pauses }, i) => pauses.map((_, j) => `${person}.${i}.${j}`));
    const expected = (sent.flat().length + (merging ? 1 : 0)) * 2;
    for (const one of devices) await one.until((it) => it.of("message").length >= expected, 30_000);
    await later(300); // whatever comes twice comes now
    await check(devices, sent);
  } finally {
    for (const { hub } of devices) hub.close();
    for (const storm of storms) await storm.stop();
  }
}

test(
  `whatever the network does, each device sees each message once and in order (seed ${seed}, ${numRuns} runs)`,
  async () => {
    await fc.assert(fc.asyncProperty(plan, run), { seed, numRuns, endOnFailure: true });
  },
  numRuns * LONGEST_RUN_MS,
);

test("the hub is killed in the middle, twice", async () => {
  const devices = [{ WebSocket: undefined }, { WebSocket: false }].map((way) =>
    device(shop.url, { ...QUICK, ...way } as Partial<HubOptions>),
  );
  for (const { hub, listen } of devices) {
    await hub.session.start({ phone: "+4915199999999" });
    listen();
  }
  const texts = Array.from({ length: 60 }, (_, i) => `killed ${i}`);
  const sending = texts.map(async (text, i) => {
    await later(i * 100);
    return devices[i % 2]!.hub.send(text);
  });
  await later(1_500);
  await shop.crash();
  await later(500);
  await shop.crash();
  await Promise.all(sending);
  const saw = (it: Device) => texts.every((text) => it.texts().includes(text));
  for (const one of devices) await one.until(saw, 60_000);
  const halves = [0, 1].map((half) => texts.filter((_, i) => i % 2 === half));
  for (const one of devices) {
    const own = one.texts().filter((text) => texts.includes(text));
    expect(own).toHaveLength(texts.length);
    for (const half of halves) expect(own.filter((text) => half.includes(text))).toEqual(half);
    const history = (await historyOf(one)).map(({ message_id }) => message_id);
    const seen = one.of("message").map(({ message }) => message.message_id);
    expect(seen).toEqual(history.slice(0, seen.length));
    expect(one.of("lost").length).toBeGreaterThan(0);
    one.hub.close();
  }
}, 180_000);

test.each([
  ["a WebSocket", {}],
  ["the long poll", { WebSocket: false }],
])("a connection that falls silent is given up and replaced, over %s", async (_name, way) => {
  const storm = await stormBefore(shop.url, { seed: 1, cutShare: 0 });
  const [page, other] = [device(storm.url, { ...QUICK, ...way }), device(shop.url, QUICK)];
  const phone = `+4917${String(100_000_000 + ++people)}`;
  for (const { hub } of [page, other]) await hub.session.start({ phone });
  page.listen();
  await page.until((it) => it.of("ready").length === 1);
  storm.freeze();
  await other.hub.send("into the silence");
  await page.until((it) => it.texts().length === 2);
  expect(page.of("lost").length).toBeGreaterThan(0);
  for (const { hub } of [page, other]) hub.close();
  await storm.stop();
});

test("pauses double up to a limit, and differ from device to device", () => {
  for (let failures = 0; failures < 40; failures++) {
    const all = Array.from({ length: 50 }, () => pauseAfter(failures, [500, 60_000]));
    const middle = Math.min(60_000, 500 * 2 ** failures);
    expect(Math.min(...all)).toBeGreaterThanOrEqual(middle * 0.5);
    expect(Math.max(...all)).toBeLessThan(middle * 1.5);
    expect(new Set(all).size).toBeGreaterThan(40);
  }
});
