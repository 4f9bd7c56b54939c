import type { Store } from "../../../src/core/store.ts";
import type { Journal } from "../../../src/outage/journal.ts";
import { settings } from "../../contracts/given.ts";
import { PEOPLE } from "./customers.ts";
import { LATE_STEPS, type Plan } from "./gate.ts";
import { type Deed, isRefusal, openShop, personKey, type Shop } from "./hub.ts";
import type { Step } from "./steps.ts";
import { type Isolate, makeWorld, type Overtaking, type World } from "./world.ts";

/** What a run begins with, empty: a journal whose leases end as the run's clock says, and a store, in memory unless given. */
export interface Backing {
  /** Whether the bot takes together what waited while it was busy. */
  readonly batch: boolean;
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
  /** Who did something while the journal did not answer, and something waited there. */
  readonly blind: ReadonlySet<string>;
  /**
   * Whose session was opened while a message of theirs waited, and when: `start` and `restore` do not insist on what is
   * older.
   */
  readonly hasty: ReadonlyMap<string, ReadonlySet<number>>;
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
  { batch, store, journal, moved }: Backing,
): Promise<History> {
  const world = makeWorld(clock, batch, store, journal);
  const shop = openShop(world);
  const { gate, bugs } = world;
  const loose = new Set<string>();
  const blind = new Set<string>();
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
      if (error) refused(deed, error, step);
      if (!deed.acked && met.some(({ life, fate }) => life === isolate && fate !== "down")) deed.cut = true;
    }
    for (const [at, { dead }] of lives.entries()) if (dead) isolates[at as 0 | 1] = world.isolate();
    return attempts.flatMap(({ deed }) => (deed.acked || deed.refused ? [] : deed));
  }

  /** It may come again later. What is refused for good is to be refused in the calm world too: see `happenCalmly`. */
  function refused(deed: Deed, error: unknown, step: number): void {
    const why = isRefusal(error);
    if (why === "later") return;
    if (why === undefined) bugs.push(new Error(`${deed.name}: ${error}`, { cause: error }));
    // What waits in a journal that does not answer is not there.
    else deed.refused = { step, at: clock.now, order: acks++, why, isBlind: clock.now < blindUntil };
  }

  async function passTime(ms: number): Promise<void> {
    clock.now += ms;
    gate.wake();
    await moved();
  }

  let least = 0;
  for (const [number, step] of steps.entries()) {
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
    }
    let again = await attempt([...asked], number, step);
    for (let tries = 0; tries < 2 && again.length > 0; tries++)
      again = await attempt(
        again.map((deed) => [deed, 0] as const),
        number,
        CALM,
      );
    const isJournaled = world.journaled() > before;
    if (clock.now < blindUntil && (waited || isJournaled))
      for (const key of busy) {
        loose.add(key);
        blind.add(key);
      }
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
  const hasty = new Map<string, Set<number>>();
  for (const one of world.overtaking) {
    const found = overtaken(one, shop);
    if (!found) continue;
    hasty.set(found.key, (hasty.get(found.key) ?? new Set()).add(one.at));
    // The message waited for longer than its session lives: it goes into the one that was opened meanwhile.
    if (one.at - found.since >= settings.sessionTtlMs) loose.add(found.key);
  }
  return { world, shop, loose, blind, hasty };
}

/** Whose session was opened before their own message that waited, and since when the oldest such message did. */
function overtaken(
  { identities, token_hash, waiting }: Overtaking,
  { given }: Shop,
): { key: string; since: number } | undefined {
  const keyOf = (from: object) => {
    const values = Object.values(from);
    const who = PEOPLE.findIndex((person) => Object.values(person).some((value) => values.includes(value)));
    return who >= 0 ? personKey(who) : given.find(({ token }) => values.includes(token))?.key;
  };
  const key = keyOf({ ...identities, token_hash });
  const theirs = waiting.filter(({ events }) =>
    events.some((event) => event.type === "message" && keyOf(event.message.from) === key),
  );
  if (key === undefined || theirs.length === 0) return undefined;
  return { key, since: Math.min(...theirs.map(({ at }) => at)) };
}

async function isQuiet({ store, clock }: World, journal: Journal): Promise<boolean> {
  const { open_turns, open_deliveries } = await store.operations.metrics(new Date(clock.now));
  return open_turns + open_deliveries + (await journal.depth()).depth === 0;
}

/**
 * The same things, acknowledged or refused in the same order at the same times, in a world where nothing ever fails. What
 * was refused for good must be refused here as well, but for three cases, in which it is left out:
 * - its order is loose, so that it may have come before what it needs;
 * - the journal did not answer, so that what it needs may have been out of sight there;
 * - it restores a session while the message that opens it waits, which `withJournal` does not insist on.
 */
export async function happenCalmly({ world: { batch }, shop, loose, hasty }: History): Promise<World> {
  const clock = { now: 0 };
  const world = makeWorld(clock, batch);
  const isolate = world.isolate();
  const over = shop.deeds.flatMap((deed) => {
    const { acked, refused, keys, name, quarantined } = deed;
    const end = acked ?? refused;
    if (!end || quarantined) return [];
    const isLoose = keys.some((key) => loose.has(key));
    const isEarly = name.startsWith("restore of") && keys.some((key) => hasty.get(key)?.has(end.at));
    if (!acked && (isLoose || refused!.isBlind || isEarly)) return [];
    return { ...end, deed, isLoose, why: acked ? undefined : refused!.why };
  });
  for (const { at, deed, isLoose, why } of over.sort((a, b) => a.order - b.order)) {
    clock.now = at;
    let isOver = false;
    let failed: unknown;
    void deed
      .ask(isolate)
      .catch((error) => {
        failed = error;
      })
      .finally(() => {
        isOver = true;
      });
    await world.gate.run(() => isOver && isolate.running.size === 0, CALM);
    const refusal = failed === undefined ? undefined : isRefusal(failed);
    if (failed !== undefined && refusal === undefined) throw failed;
    // Where nobody can tell what came first, it may have been possible in the other order only. And what a device says
    // after its sign-out is acknowledged where the cache was cut off from that, and refused by the store later.
    const hasLeft = deed.name.startsWith("web") && deed.keys.some((key) => shop.left.has(key));
    deed.isRefusedCalmly = refusal === "never" && why === undefined;
    if (refusal !== why && !(why === undefined && (isLoose || hasLeft)))
      throw new Error(`${deed.name} was ${why ?? "done"}, and is ${refusal ?? "done"} in the calm world`);
  }
  return world;
}
