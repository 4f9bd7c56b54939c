import { failureOf, HubError, toHubError } from "../core/errors.ts";
import type { Hub } from "../core/hub.ts";
import type { Identities } from "../core/identity/identity.ts";
import type { InboundMessage } from "../core/messages/message.ts";
import type { InboundEvent, Received } from "../core/receive/conversations.ts";
import { opened, runInBackground, type Told } from "../core/receive/effects.ts";
import { isSessionRef, type Session } from "../core/sessions/session.ts";
import type { SessionChanges, StartSession } from "../core/sessions/sessions.ts";
import { withTimeout } from "../core/timeout.ts";
import { isOutage, type JournalEntry, type Standby } from "./journal.ts";
import { alive, changed, expected, joined, provisional, touched } from "./predict.ts";
import { beSure, catchUp, isWaiting, watch } from "./replay.ts";

/** What the store may take, replay of older entries included, before the journal is the better place. */
const STORE_MS = 3_000;
/** Why something goes into the journal though the store may be up. */
const WAITS = "journal_waits";

/** What a verb brings. */
export interface Taken<T> {
  readonly value: T;
  /** False while it only stands in the journal. */
  readonly persisted: boolean;
}

/** As `Conversations.receive`; while the store is down the journal takes it, and callers' messages are told as expected. */
export function receive(hub: Hub, kept: readonly InboundEvent[]): Promise<Taken<Received[]>> {
  const ask = () => hub.store.conversations.receive(kept, hub.now());
  return orJournal(hub, { operation: "receive", queues: true }, ask, async (standby, at) => {
    const items: InboundEvent[] = [];
    const opening: JournalEntry[] = [];
    const results: Extract<Received, { type: "message" }>[] = [];
    for (const item of kept) {
      // Only callers of ours, whose messages come without an account, are told what became of them.
      if (item.type !== "message" || item.message.account !== undefined) {
        items.push(item);
        continue;
      }
      const heard = await hear(hub, standby, item.message, at);
      if (!heard) return undefined;
      const message_id = crypto.randomUUID();
      const message = expected(item.message, message_id, heard.session, at);
      items.push({ type: "message", message: { ...item.message, message_id } });
      opening.push(...heard.opening);
      results.push({ type: "message", message, session: heard.session, duplicate: false });
    }
    return {
      value: results,
      entries: [...opening, { type: "receive", kept: items, at }],
      sessions: results.map(({ session }) => session),
    };
  });
}

/** As `Sessions.start`; while the store is down a session that the cache knows is joined, else one is promised. */
export function start(hub: Hub, given: StartSession): Promise<Taken<Told>> {
  const ask = async () => opened(hub, await hub.store.sessions.start(given, hub.now()));
  return orJournal(hub, { operation: "start" }, ask, async (standby, at) => {
    const { identities, channel, token_hash, claimed } = given;
    // Only the store can tell whether somebody has proven them.
    if (claimed) return undefined;
    const known = alive(await hub.cache.get({ identities }), at);
    const session = known
      ? touched(joined(known, given), channel, standby, at)
      : { ...joined(provisional(given, standby, at), given), version: 1 };
    const promised = known ? given : { ...given, session_id: session.session_id };
    return {
      value: session,
      entries: [{ type: "start", start: promised, at }],
      sessions: [session],
      token_hash,
    };
  });
}

/** As `Sessions.restore`; while the store is down only what the cache knows can be found. */
export function restore(
  hub: Hub,
  who: {
    readonly token_hash: string;
    readonly identities?: Identities;
    readonly customer_id?: string;
    readonly claimed?: boolean;
  },
  channel: string | undefined,
): Promise<Taken<Told>> {
  const ask = async () => opened(hub, await hub.store.sessions.restore(who, channel, hub.now()));
  return orJournal(hub, { operation: "restore" }, ask, async (standby, at) => {
    const { token_hash, identities, customer_id, claimed } = who;
    if (claimed || customer_id !== undefined) return undefined;
    const known = alive(await hub.cache.get(identities ? { identities } : { token_hash }), at);
    if (!known) return undefined;
    const session = touched(known, channel, standby, at);
    const entry: JournalEntry = { type: "restore", who, ...(channel !== undefined && { channel }), at };
    return { value: session, entries: [entry], sessions: [session], token_hash };
  });
}

/** As `Sessions.update`; while the store is down the cached session is changed, and compared with `if_version`. */
export function update(hub: Hub, token_hash: string, given: SessionChanges): Promise<Taken<Told>> {
  const changes = hub.standby ? withId(given) : given;
  const ask = async () => opened(hub, await hub.store.sessions.update({ token_hash }, changes, hub.now()));
  return orJournal(hub, { operation: "update", queues: true }, ask, async (standby, at) => {
    const known = alive(await hub.cache.get({ token_hash }), at);
    if (!known) return undefined;
    const { if_version, ...accepted } = changes;
    if (if_version !== undefined && if_version !== known.version)
      throw new HubError("version_conflict", "the session has moved on from that version");
    const session = touched(changed(known, accepted), accepted.channel, standby, at);
    return {
      value: session,
      entries: [{ type: "update", token_hash, changes: accepted, at }],
      sessions: [session],
      token_hash,
    };
  });
}

/**
 * Asks the store to close what a token opens, once everything before it is there. When it cannot, the token opens
 * nothing from the cache any more, and the caller is told to come again: nobody is told of a closed session that is open.
 */
export async function close<T>(hub: Hub, token_hash: string, ask: () => Promise<T>): Promise<T> {
  const { standby } = hub;
  if (!standby) return ask();
  try {
    return await inTime(hub, () => inTurn(hub, standby, caughtUpForSure, ask));
  } catch (thrown) {
    if (isOutage(toHubError(thrown))) await hub.cache.drop([token_hash]);
    throw thrown;
  }
}

/** Asks the store for what a token opens. One that it does not know may stand in the journal only. */
export async function lookUp<T>(hub: Hub, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (thrown) {
    if (!hub.standby || toHubError(thrown).code !== "session_not_found") throw thrown;
    const { empty, taken } = await catchUp(hub, hub.standby, { ask: true });
    if (!empty) throw waits();
    if (taken === 0) throw thrown;
    return ask();
  }
}

interface Plan<T> {
  readonly value: T;
  readonly entries: readonly JournalEntry[];
  /** What the cache is to know before anybody is answered. */
  readonly sessions: readonly Session[];
  readonly token_hash?: string | undefined;
}

interface Kind {
  readonly operation: string;
  /** While others wait it joins them at once: what comes during a replay must not get ahead of it. */
  readonly queues?: boolean;
}

/** The store's answer or, when it has none, what `plan` says. A plan that cannot tell is no plan. */
async function orJournal<T>(
  hub: Hub,
  { operation, queues = false }: Kind,
  ask: () => Promise<T>,
  plan: (standby: Standby, now: Date) => Promise<Plan<T> | undefined>,
): Promise<Taken<T>> {
  const { standby, cache } = hub;
  if (!standby) return { value: await ask(), persisted: true };
  const came = hub.now();
  const first = queues ? notWaiting : caughtUp;
  let why: HubError;
  try {
    return { value: await inTime(hub, () => inTurn(hub, standby, first, ask)), persisted: true };
  } catch (thrown) {
    why = toHubError(thrown);
    if (!isOutage(why)) throw thrown;
  }
  const behind = why.reason === WAITS;
  if (!behind) watch(hub, standby);
  const planned = await plan(standby, came);
  if (planned && (await standby.journal.append(planned.entries, { behind }))) {
    beSure(hub, standby);
    await Promise.all(planned.sessions.map((session) => cache.put(planned.token_hash, session)));
    const session_id = planned.sessions[0]?.session_id;
    hub.log("warn", "degraded", {
      operation,
      session_id,
      entries: planned.entries.length,
      ...failureOf(why),
    });
    if (behind && queues) runInBackground(hub, "journal.waits", catchUp(hub, standby, { ask: true }));
    return { value: planned.value, persisted: false };
  }
  if (!behind) throw why;
  // The store is up. Nothing waits any more that this could overtake; or nobody can tell what it would join, and then it
  // must not get ahead of what somebody else is replaying.
  if (queues) {
    const { empty } = await catchUp(hub, standby, { ask: true });
    if (!planned && !empty) throw why;
  }
  return { value: await lookUp(hub, ask), persisted: true };
}

type First = (hub: Hub, standby: Standby) => Promise<boolean>;

const notWaiting: First = async (hub, standby) => !(await isWaiting(hub, standby));
const caughtUp: First = async (hub, standby) => (await catchUp(hub, standby)).empty;
const caughtUpForSure: First = async (hub, standby) => (await catchUp(hub, standby, { ask: true })).empty;

/** Asks the store once everything that came before is there, as far as `first` can tell. */
async function inTurn<T>(hub: Hub, standby: Standby, first: First, ask: () => Promise<T>): Promise<T> {
  if (hub.store.breaker?.() !== "open" && !(await first(hub, standby))) throw waits();
  return lookUp(hub, ask);
}

async function inTime<T>(hub: Hub, work: () => Promise<T>): Promise<T> {
  const working = work();
  try {
    return await withTimeout(STORE_MS, "store_timeout", () => working);
  } catch (thrown) {
    // It may be replaying: let it come to its end and give the lease back.
    hub.later?.(Promise.allSettled([working]));
    throw thrown;
  }
}

/** The session that a caller's message is part of, and what has to happen for it to open. */
async function hear(
  hub: Hub,
  standby: Standby,
  { from, channel, claimed }: InboundMessage,
  at: Date,
): Promise<{ session: Session; opening: JournalEntry[] } | undefined> {
  if (claimed) return undefined;
  const known = alive(await hub.cache.get(isSessionRef(from) ? from : { identities: from }), at);
  const said = (session: Session) => ({ ...session, message_count: session.message_count + 1 });
  if (known) return { session: said(touched(known, channel, standby, at)), opening: [] };
  if (isSessionRef(from)) return undefined;
  const session = provisional({ identities: from, channel }, standby, at);
  const promised: StartSession = { identities: from, channel, session_id: session.session_id };
  return { session: said(session), opening: [{ type: "start", start: promised, at }] };
}

/** A message without an id of its own gets one, by which the store knows it when it comes twice. */
function withId(changes: SessionChanges): SessionChanges {
  const { message } = changes;
  if (!message || message.external_id !== undefined) return changes;
  return { ...changes, message: { ...message, external_id: crypto.randomUUID() } };
}

function waits(): HubError {
  return new HubError("unavailable", "what came before is still on its way to the database", {
    reason: WAITS,
  });
}
