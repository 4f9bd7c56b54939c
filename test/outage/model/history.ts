import type { Store } from "../../../src/core/store.ts";
import type { Journal } from "../../../src/outage/journal.ts";
import { DAY } from "../../contracts/given.ts";
import { LATE_STEPS, type Plan } from "./gate.ts";
import { type Deed, isRefusal, openShop, type Shop } from "./hub.ts";
import type { Step } from "./steps.ts";
import { type Isolate, makeWorld, type World } from "./world.ts";

/** What a run begins with, empty: a journal whose leases end as the run's clock says, and a store, in memory unless given. */
export interface Backing {
  readonly store?: Store;
  readonly journal: Journal;
  /** Time has come to this. */
  moved(): Promise<void>;
}

/** What happened, and what nobody can say of it. */
export interface History {
  readonly world: World;
  readonly shop: Shop;
  /** Whose things may have come in another order than they were acknowledged in. */
  readonly loose: ReadonlySet<string>;
  /** Who restored a session while something waited: one that the cache does not know is asked of the store at once. */
  readonly hasty: ReadonlySet<string>;
}

interface Attempt {
  readonly deed: Deed;
  readonly isolate: Isolate;
  over: boolean;
  error?: unknown;
}

/** Longer than an isolate takes an empty journal to be empty. */
const QUIET_MS = 3_001;
/** As long as a journal that did not answer is left alone, and then that. */
const BLIND_MS = 10_000 + QUIET_MS;
const CALM: Plan = { dice: [], cuts: [] };
const MOST_SWEEPS = 60;

/** Lets everything happen, then lets everything heal. */
export async function happen(
  steps: readonly Step[],
  clock: { now: number },
  { store, journal, moved }: Backing,
): Promise<History> {
  const world = makeWorld(clock, store, journal);
  const shop = openShop(world);
  const { gate, bugs } = world;
  const loose = new Set<string>();
  const hasty = new Set<string>();
  const isolates: [Isolate, Isolate] = [world.isolate(), world.isolate()];
  let acks = 0;
  let blindUntil = 0;

  /** One attempt at each, all at once. Returns those that may be tried again at once. */
  async function attempt(
    asked: readonly (readonly [Deed, 0 | 1])[],
    step: number,
    plan: Plan,
  ): Promise<Deed[]> {
    const lives = [...isolates];
    const attempts = asked.map(([deed, at]) => {
      const one: Attempt = { deed, isolate: lives[at]!, over: false };
      const acknowledged = () => {
        deed.acked ??= { step, at: clock.now, order: acks++ };
      };
      const failed = (error: unknown) => {
        one.error = error;
      };
      void deed
        .ask(one.isolate)
        .then(acknowledged, failed)
        .finally(() => {
          one.over = true;
        });
      return one;
    });
    const isDone = () =>
      attempts.every((one) => one.over || one.isolate.dead) &&
      lives.every(({ dead, running }) => dead || running.size === 0);
    const met = await gate.run(isDone, plan);
    if (met.some(({ port }) => port === "journal.depth")) blindUntil = clock.now + BLIND_MS;
    for (const { deed, isolate, error } of attempts) {
      if (error) refused(deed, error);
      if (!deed.acked && met.some(({ life, fate }) => life === isolate && fate !== "down")) deed.cut = true;
    }
    for (const [at, { dead }] of lives.entries()) if (dead) isolates[at as 0 | 1] = world.isolate();
    return attempts.flatMap(({ deed }) => (deed.acked || deed.refused ? [] : deed));
  }

  /** It may come again later; or there is no such session, as far as the store knows. */
  function refused(deed: Deed, error: unknown): void {
    const refusal = isRefusal(error);
    if (refusal === "later") return;
    deed.refused = true;
    // What waits in a journal that does not answer is not there.
    const mayBeGone =
      refusal === "unclaimed"
        ? deed.name.startsWith("claim")
        : deed.name.startsWith("restore of") ||
          clock.now < blindUntil ||
          shop.jumped() ||
          [...shop.left].some((key) => deed.keys.includes(key) || deed.name.endsWith(key));
    if (!refusal || !mayBeGone) bugs.push(new Error(`${deed.name}: ${error}`, { cause: error }));
  }

  async function passTime(ms: number): Promise<void> {
    clock.now += ms;
    gate.wake();
    await moved();
  }

  let least = 0;
  for (const [number, step] of steps.entries()) {
    if (step.after_ms >= DAY) {
      shop.jump();
      // What waits over such a jump may find its session expired and another one open.
      if ((await journal.depth()).depth > 0) for (const key of shop.keys()) loose.add(key);
    }
    await passTime(Math.max(step.after_ms, least));
    const before = world.journaled();
    Object.assign(gate.up, { journal: true, ...step.weather });
    if (!gate.up.journal) blindUntil = clock.now + BLIND_MS;
    const waited = (await journal.depth()).depth > 0;
    const asked = new Map<Deed, 0 | 1>();
    const busy = new Set<string>();
    for (const action of step.actions) {
      const deed = shop.deed(action, number, (keys) => step.crowded || keys.every((key) => !busy.has(key)));
      for (const key of deed?.keys ?? []) {
        if (busy.has(key)) loose.add(key);
        busy.add(key);
      }
      if (deed) asked.set(deed, action.at);
      if (waited && (action.do === "restore" || action.do === "start"))
        for (const key of deed?.keys ?? []) hasty.add(key);
    }
    let again = await attempt([...asked], number, step);
    for (let tries = 0; tries < 2 && again.length > 0; tries++)
      again = await attempt(
        again.map((deed) => [deed, 0] as const),
        number,
        CALM,
      );
    const isJournaled = world.journaled() > before;
    if (clock.now < blindUntil && (waited || isJournaled)) for (const key of busy) loose.add(key);
    least = isJournaled ? QUIET_MS : 0;
  }

  Object.assign(gate.up, { store: true, journal: true });
  await passTime(BLIND_MS);
  const end = steps.length;
  for (const deed of shop.deeds) {
    if (!deed.acked && deed.stubborn && !deed.refused) await attempt([[deed, 0]], end, CALM);
    if ((!deed.acked || deed.acked.step > deed.firstStep) && deed.cut)
      for (const key of deed.keys) loose.add(key);
  }
  for (let late = 0; late < LATE_STEPS; late++) {
    await passTime(QUIET_MS);
    await attempt([], end, CALM);
  }
  for (let sweeps = 0; !(await isQuiet(world, journal)); sweeps++) {
    if (sweeps === MOST_SWEEPS) throw new Error("not everything comes to an end");
    await passTime(16 * 60_000);
    const deed = shop.deed({ do: "sweep", at: 1 }, end);
    await attempt([[deed!, 1]], end, CALM);
  }
  return { world, shop, loose, hasty };
}

async function isQuiet({ store, clock }: World, journal: Journal): Promise<boolean> {
  const { open_turns, open_deliveries } = await store.operations.metrics(new Date(clock.now));
  return open_turns + open_deliveries + (await journal.depth()).depth === 0;
}

/** The same things, acknowledged in the same order at the same times, in a world where nothing ever fails. */
export async function happenCalmly({ shop, loose }: History): Promise<World> {
  const clock = { now: 0 };
  const world = makeWorld(clock);
  const isolate = world.isolate();
  const acked = shop.deeds.filter((deed) => deed.acked && !deed.quarantined);
  for (const { acked: when, ask, keys } of acked.sort((a, b) => a.acked!.order - b.acked!.order)) {
    clock.now = when!.at;
    let over = false;
    let failed: unknown;
    void ask(isolate)
      .catch((error) => {
        failed = error;
      })
      .finally(() => {
        over = true;
      });
    await world.gate.run(() => over && isolate.running.size === 0, CALM);
    // Where nobody can tell what came first, it may have been possible in the other order only.
    const mayFail = isRefusal(failed) && keys.some((key) => loose.has(key));
    if (failed && !mayFail) throw failed;
  }
  return world;
}
