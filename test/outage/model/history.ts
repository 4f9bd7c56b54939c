import type { Store } from "../../../src/core/store.ts";
import type { Journal } from "../../../src/outage/journal.ts";
import { settings } from "../../contracts/given.ts";
import { PEOPLE } from "./customers.ts";
import { LATE_STEPS, type Plan } from "./gate.ts";
import { type ClientRequest, type Clients, createClients, isRefusal, personKey } from "./hub.ts";
import type { Step } from "./steps.ts";
import { type Isolate, makeWorld, type Overtaking, type World } from "./world.ts";

/** The empty journal and store that a run begins with. The store is in memory by default. */
export interface Backing {
  /** Whether the bot takes waiting messages in one turn. */
  readonly batch: boolean;
  readonly store?: Store;
  readonly journal: Journal;
  /** Moves the clock of the backing to this time. */
  moved(): Promise<void>;
}

/** A finished run, and which parts of it have an unknown order. */
export interface History {
  readonly world: World;
  readonly clients: Clients;
  /** The keys whose requests may have taken effect in another order than they were acknowledged in. */
  readonly loose: ReadonlySet<string>;
  /** The keys with a request while the journal did not answer and entries waited there. */
  readonly blind: ReadonlySet<string>;
  /**
   * The keys whose session was opened while a message of theirs waited, and the times of that: `start` and `restore`
   * may overtake it.
   */
  readonly hasty: ReadonlyMap<string, ReadonlySet<number>>;
}

interface Attempt {
  readonly request: ClientRequest;
  readonly isolate: Isolate;
  over: boolean;
  error?: unknown;
}

/** Longer than a journal counts as empty after it was found empty. */
const QUIET_MS = 3_001;
/** The time in which a silent journal is not asked again, and then the time above. */
const BLIND_MS = 10_000 + QUIET_MS;
const CALM: Plan = { picks: [], cuts: [] };
const MOST_SWEEPS = 60;

/** Runs all steps, then brings everything up again and waits until the work is done. */
export async function happen(
  steps: readonly Step[],
  clock: { now: number },
  { batch, store, journal, moved }: Backing,
): Promise<History> {
  const world = makeWorld(clock, batch, store, journal);
  const clients = createClients(world);
  const { gate, bugs } = world;
  const loose = new Set<string>();
  const blind = new Set<string>();
  const isolates: [Isolate, Isolate] = [world.isolate(), world.isolate()];
  let acks = 0;
  let blindUntil = 0;

  /** Sends each request once, all at once. Returns those that may be sent again at once. */
  async function attempt(
    asked: readonly (readonly [ClientRequest, 0 | 1])[],
    step: number,
    plan: Plan,
  ): Promise<ClientRequest[]> {
    const lives = [...isolates];
    const attempts = asked.map(([request, at]) => {
      const one: Attempt = { request, isolate: lives[at]!, over: false };
      const acknowledged = () => {
        request.acked ??= { step, at: clock.now, order: acks++ };
      };
      const failed = (error: unknown) => {
        one.error = error;
      };
      void request
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
    for (const { request, isolate, error } of attempts) {
      if (error) refused(request, error, step);
      if (!request.acked && met.some(({ life, fault }) => life === isolate && fault !== "down"))
        request.cut = true;
    }
    for (const [at, { dead }] of lives.entries()) if (dead) isolates[at as 0 | 1] = world.isolate();
    return attempts.flatMap(({ request }) => (request.acked || request.refused ? [] : request));
  }

  /** Records a refusal. A request refused for good must be refused in the calm world too: see `happenCalmly`. */
  function refused(request: ClientRequest, error: unknown, step: number): void {
    const why = isRefusal(error);
    if (why === "later") return;
    if (why === undefined) bugs.push(new Error(`${request.name}: ${error}`, { cause: error }));
    // Entries of a journal that does not answer cannot be seen.
    else request.refused = { step, at: clock.now, order: acks++, why, isBlind: clock.now < blindUntil };
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
    Object.assign(gate.up, { journal: true, ...step.up });
    if (!gate.up.journal) blindUntil = clock.now + BLIND_MS;
    const waited = (await journal.depth()).depth > 0;
    const asked = new Map<ClientRequest, 0 | 1>();
    const busy = new Set<string>();
    for (const action of step.actions) {
      const request = clients.request(
        action,
        number,
        (keys) => step.crowded || keys.every((key) => !busy.has(key)),
      );
      for (const key of request?.keys ?? []) {
        if (busy.has(key)) loose.add(key);
        busy.add(key);
      }
      if (request) asked.set(request, action.at);
    }
    let again = await attempt([...asked], number, step);
    for (let tries = 0; tries < 2 && again.length > 0; tries++)
      again = await attempt(
        again.map((request) => [request, 0] as const),
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
  for (const request of clients.requests) {
    if (!request.acked && request.stubborn && !request.refused) await attempt([[request, 0]], end, CALM);
    if ((!request.acked || request.acked.step > request.firstStep) && request.cut)
      for (const key of request.keys) loose.add(key);
  }
  for (let late = 0; late < LATE_STEPS; late++) {
    await passTime(QUIET_MS);
    await attempt([], end, CALM);
  }
  for (let sweeps = 0; !(await isQuiet(world, journal)); sweeps++) {
    if (sweeps === MOST_SWEEPS) throw new Error("not everything comes to an end");
    await passTime(16 * 60_000);
    const request = clients.request({ do: "sweep", at: 1 }, end);
    await attempt([[request!, 1]], end, CALM);
  }
  const hasty = new Map<string, Set<number>>();
  for (const one of world.overtaking) {
    const found = overtaken(one, clients);
    if (!found) continue;
    hasty.set(found.key, (hasty.get(found.key) ?? new Set()).add(one.at));
    // The message waited for longer than its session's expiry: it is stored in the session opened meanwhile.
    if (one.at - found.since >= settings.sessionTtlMs) loose.add(found.key);
  }
  return { world, clients, loose, blind, hasty };
}

/** The keys whose session was opened while a message of theirs waited, and the arrival of the oldest such message. */
function overtaken(
  { identities, token_hash, waiting }: Overtaking,
  { given }: Clients,
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
 * Runs the same requests, acknowledged or refused in the same order at the same times, in a world where nothing fails.
 * A request that was refused for good must be refused here too. It is left out in three cases:
 * - its order is loose, so that it may have come before the request that it needs;
 * - the journal did not answer, so that the message it needs may have been unreadable there;
 * - it restores a session while the message that opens it waits, which `withJournal` does not wait for.
 */
export async function happenCalmly({ world: { batch }, clients, loose, hasty }: History): Promise<World> {
  const clock = { now: 0 };
  const world = makeWorld(clock, batch);
  const isolate = world.isolate();
  const over = clients.requests.flatMap((request) => {
    const { acked, refused, keys, name, quarantined } = request;
    const end = acked ?? refused;
    if (!end || quarantined) return [];
    const isLoose = keys.some((key) => loose.has(key));
    const isEarly = name.startsWith("restore of") && keys.some((key) => hasty.get(key)?.has(end.at));
    if (!acked && (isLoose || refused!.isBlind || isEarly)) return [];
    return { ...end, request, isLoose, why: acked ? undefined : refused!.why };
  });
  for (const { at, request, isLoose, why } of over.sort((a, b) => a.order - b.order)) {
    clock.now = at;
    let isOver = false;
    let failed: unknown;
    void request
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
    // If the order is unknown, it may have been possible in the other order only. And a device's message after its
    // sign-out is acknowledged if the cache did not learn of the sign-out, and refused by the store later.
    const hasLeft = request.name.startsWith("web") && request.keys.some((key) => clients.left.has(key));
    request.isRefusedCalmly = refusal === "never" && why === undefined;
    if (refusal !== why && !(why === undefined && (isLoose || hasLeft)))
      throw new Error(`${request.name} was ${why ?? "done"}, and is ${refusal ?? "done"} in the calm world`);
  }
  return world;
}
