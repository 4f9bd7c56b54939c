import { expect } from "vitest";
import type { Message } from "../../../src/core/messages/message.ts";
import type { Session } from "../../../src/core/sessions/session.ts";
import { PEOPLE } from "./customers.ts";
import type { History } from "./history.ts";
import type { Clients } from "./hub.ts";
import { answeredBy, replyTo, type Take, type World } from "./world.ts";

/** Checks all promises for a finished run. Returns how many people could be compared exactly, and how many loosely. */
export async function judge(history: History, calm: World): Promise<{ exact: number; loose: number }> {
  const { world, clients, loose } = history;
  if (world.bugs.length > 0) throw world.bugs[0];
  const sessions = await allOf(world);
  const messages = sessions.flatMap((session) => session.messages);
  // Only sweeps mark expired sessions, and the calm world has no sweeps.
  await calm.store.housekeeping.expire(new Date(world.clock.now), 1_000);
  const refused = storedOnce(history, messages);
  inOrder(clients, loose, sessions);
  answeredOnce(messages);
  const unsent = blockedReplies(clients, messages);
  sentOnce(world, clients, messages, unsent);
  const dead = await world.store.operations.deadLetters(undefined, 1_000);
  expect(dead.filter(({ reason, message_id }) => reason !== "blocked" || !unsent.has(message_id))).toEqual(
    [],
  );
  await tokensOpen(history, calm);
  return alike(history, sessions, await allOf(calm), calm, refused);
}

interface StoredSession {
  readonly session: Session;
  readonly messages: readonly Message[];
}

/** All sessions, except merged ones. */
async function allOf({ store, session_ids, clock }: World): Promise<StoredSession[]> {
  const now = new Date(clock.now);
  const found = new Map<string, StoredSession>();
  for (const session_id of session_ids) {
    const exported = await store.privacy.export({ session_id }, undefined, 1_000, "model", now);
    const page = await store.sessions.messages({ session_id }, 0, 1_000, now);
    // An export holds every session of the customer, also by the id of a merged one.
    for (const { addresses, devices, unreachable, has_password, ...session } of exported.sessions)
      if (session.session_id === page.session_id)
        found.set(page.session_id, { session, messages: page.messages });
  }
  return [...found.values()];
}

const isCustomers = ({ direction, external_id }: Message) =>
  direction === "inbound" || external_id !== undefined;

/**
 * An acknowledged message is stored once. A message that was refused for good is not stored. One kind of message may be
 * acknowledged and end in the quarantine: a device's message that comes while its own token ends, so that the order is
 * unknown. The token ends by a sign-out, by its session's end, or by a start that joins two customers. The journal
 * takes the message because the cache still knows the token: the cache learns of the end after the answer, or never if
 * that is cut off. The calm world then refuses the message too. A call that ends a token waits for the messages before
 * it, unless the journal does not answer. Returns the ids of those in the quarantine.
 */
function storedOnce(
  { world, clients, loose, blind }: History,
  messages: readonly Message[],
): ReadonlySet<string> {
  const { requests, left } = clients;
  const refused = new Set<string>();
  const count = new Map<string, number>();
  for (const { external_id } of messages.filter(isCustomers))
    count.set(external_id!, (count.get(external_id!) ?? 0) + 1);
  for (const { name, keys, acked, cut, messages: brought, isRefusedCalmly } of requests)
    for (const id of brought) {
      const found = count.get(id) ?? 0;
      const isUnclear = (key: string) =>
        loose.has(key) &&
        requests.some(
          ({ ends, keys, firstStep }) =>
            ends && keys.includes(key) && (blind.has(key) || (acked && firstStep <= acked.step)),
        );
      const isLate = isRefusedCalmly && keys.some((key) => left.has(key));
      const mayBeRefused = name.startsWith("web") && (isLate || keys.some(isUnclear));
      if (acked && found === 0 && mayBeRefused) refused.add(id);
      else if (found > 1 || (acked && found === 0) || (!acked && !cut && found > 0))
        throw new Error(`${id} of ${name} is there ${found} times`, { cause: { acked, cut } });
    }
  if (world.quarantined.length > refused.size) throw world.quarantined[0];
  return refused;
}

/** A message sent after another was acknowledged stands after it. */
function inOrder(
  { requests }: Clients,
  loose: ReadonlySet<string>,
  sessions: readonly StoredSession[],
): void {
  const brought = new Map(
    requests.flatMap((request) => request.messages.map((id) => [id, request] as const)),
  );
  for (const { messages } of sessions) {
    const customers = messages.filter(isCustomers).map(({ external_id }) => external_id!);
    for (const [i, id] of customers.entries())
      for (const later of customers.slice(i + 1)) {
        const [one, other] = [brought.get(id)!, brought.get(later)!];
        if ([...one.keys, ...other.keys].some((key) => loose.has(key))) continue;
        const isSame = one === other && one.messages.indexOf(id) > one.messages.indexOf(later);
        if (isSame || (other.acked && other.acked.step < one.firstStep))
          throw new Error(`${later} came before ${id} and stands behind it: ${customers}`);
      }
  }
}

const isReply = ({ role, external_id }: Message) => role === "assistant" && external_id === undefined;

/**
 * Each message that wakes the bot is answered by one reply, alone or in a batch. Replies to a platform stand in the
 * order of the messages that they answer.
 */
function answeredOnce(messages: readonly Message[]): void {
  const asked = messages.filter(({ external_id }) => external_id?.startsWith("m"));
  const byId = new Map(asked.map((message) => [message.external_id, message]));
  const replies = messages.filter(isReply);
  for (const { text, reply_to } of replies) {
    const answered = answeredBy(text);
    expect(text).toBe(replyTo(answered));
    expect(reply_to).toBe(byId.get(answered.at(-1))?.message_id);
  }
  const ids = asked.map(({ external_id }) => external_id!);
  expect(replies.flatMap(({ text }) => answeredBy(text)).sort()).toEqual(ids.sort());
  // On the web a person may have used two sessions before these merged.
  const lanes = Map.groupBy(replies.filter(isSent), ({ session_id, channel }) => `${session_id} ${channel}`);
  for (const lane of lanes.values()) {
    const places = lane.flatMap(({ text }) => answeredBy(text).map((id) => byId.get(id)!.seq));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  }
}

/**
 * The ids of the replies that failed because their customer had blocked the clients on that channel. A message on the
 * channel ends the block, also when it is redelivered. So a block must have happened after all messages that the reply
 * answers.
 */
function blockedReplies({ requests }: Clients, messages: readonly Message[]): ReadonlySet<string> {
  const brought = new Map(
    requests.flatMap((request) => request.messages.map((id) => [id, request] as const)),
  );
  const failed = messages.filter((message) => isReply(message) && message.status === "failed");
  const mayFail = ({ text, channel }: Message) =>
    requests.some(
      ({ reach, firstStep: happened }) =>
        reach?.reachable === false &&
        reach.channel === channel &&
        answeredBy(text).every((id) => {
          const { keys, firstStep } = brought.get(id)!;
          return keys.includes(reach.key) && happened > firstStep;
        }),
    );
  for (const reply of failed)
    if (!mayFail(reply)) throw new Error(`${reply.text} failed though nobody had blocked us`);
  return new Set(failed.map(({ message_id }) => message_id));
}

/** A platform took each part until that was recorded, not after, and not before the part before it was recorded. */
function sentOnce(
  { takes }: World,
  { receipts }: Clients,
  messages: readonly Message[],
  unsent: ReadonlySet<string>,
): void {
  const sent = messages.filter(
    (message) => isReply(message) && isSent(message) && !unsent.has(message.message_id),
  );
  const lines = Map.groupBy(sent, ({ session_id, channel }) => `${session_id} ${channel}`);
  for (const line of lines.values()) {
    let before = -1;
    for (const { text: whole, status } of line) {
      const statuses: string[] = [];
      for (const text of whole!.split("|")) {
        // An isolate that is late by more than the lease may send again what another isolate has sent meanwhile.
        const counts = ({ isLate, isAnybodys, recorded }: Take) =>
          !(isLate || isAnybodys) || recorded !== undefined;
        const taken = takes.filter((take) => take.text === text && counts(take));
        const recorded = taken.filter((take) => take.recorded !== undefined);
        const last = taken.at(-1);
        if (recorded.length !== 1 || last !== recorded[0] || taken[0]!.order < before)
          throw new Error(`${text} was not sent as it should`, { cause: { before, taken } });
        for (const [i, { life, order, excuse }] of taken.slice(0, -1).entries())
          if (!life.dead && !(excuse && excuse < taken[i + 1]!.order))
            throw new Error(`${text} was sent again without need`, { cause: { order, taken } });
        before = last!.recorded!;
        statuses.push(furthest(["sent", ...(receipts.get(`${last!.channel} ${last!.external_id}`) ?? [])]));
      }
      expect(status).toBe(STATUSES[Math.min(...statuses.map((one) => STATUSES.indexOf(one)))]);
    }
  }
}

const isSent = ({ channel }: Message) => channel === "whatsapp" || channel === "telegram";
const STATUSES = ["sent", "delivered", "read"];
const furthest = (all: readonly string[]) => STATUSES[Math.max(...all.map((one) => STATUSES.indexOf(one)))]!;

/**
 * Every live token opens the session that its answer named, or the one that it was merged into. It is live exactly if
 * it is live in the calm world. Where its order is loose the two worlds may differ in two cases only:
 * - an end, a sign-out, or a start that joins two customers may have come before or after it was given;
 * - a restore gave it, before which the calm world has no session.
 */
async function tokensOpen({ world, clients, loose }: History, calm: World): Promise<void> {
  const now = new Date(world.clock.now);
  for (const { key, by, token, session_id } of clients.given) {
    const [byToken, calmly] = await Promise.all([openedBy(world, token, now), openedBy(calm, token, now)]);
    const wasEarly = by.name.startsWith("restore of") && by.isRefusedCalmly;
    const mayDiffer = loose.has(key) && (clients.left.has(key) || clients.joined.has(key) || wasEarly);
    if (!mayDiffer) expect([key, byToken !== undefined]).toEqual([key, calmly !== undefined]);
    if (byToken === undefined) continue;
    const byId = await world.store.sessions.messages({ session_id }, 0, 1, now);
    expect(byId.session_id).toBe(byToken);
  }
}

/** The session that a token opens. Undefined when the token has ended. */
async function openedBy({ store }: World, token_hash: string, now: Date): Promise<string | undefined> {
  try {
    return (await store.sessions.messages({ token_hash }, 0, 1, now)).session_id;
  } catch (error) {
    expect(["session_not_found", "session_expired"]).toContain((error as { code?: string }).code);
    return undefined;
  }
}

/** Each session is the same as in the calm world. Where the order is unknown only its messages are compared. */
async function alike(
  { clients, loose, hasty, world }: History,
  ours: readonly StoredSession[],
  theirs: readonly StoredSession[],
  calm: World,
  refused: ReadonlySet<string>,
): Promise<{ exact: number; loose: number }> {
  const counted = { exact: 0, loose: 0 };
  const compare = (
    keys: readonly string[],
    one: StoredSession | undefined,
    other: StoredSession | undefined,
  ) => {
    if (!other) return; // Only something that was never acknowledged has opened it.
    // It is unknown whether an end that was cut off took effect.
    if (!one && keys.some((key) => loose.has(key) && clients.left.has(key))) return;
    if (!one) throw new Error(`${keys} have no session`, { cause: other });
    if (keys.some((key) => loose.has(key))) {
      counted.loose++;
      expect(loosely(one)).toEqual(expect.objectContaining(loosely(other)));
      // An end that was cut off, or that came at the same time, may have taken effect between two of these.
      const mayHaveEnded = keys.some((key) => clients.left.has(key));
      const talks = mayHaveEnded ? [one, ...before(one, ours)] : [one];
      const stored = texts(other).filter((id) => !refused.has(id));
      expect(talks.flatMap(texts).sort()).toEqual(expect.arrayContaining(stored));
    } else {
      counted.exact++;
      const isHasty = keys.some((key) => hasty.has(key));
      expect(exactly(one, ours, isHasty, world)).toEqual(exactly(other, theirs, isHasty, calm));
    }
  };
  for (const [who, identities] of PEOPLE.entries())
    for (const [kind, value] of Object.entries(identities)) {
      const [one, other] = [ours, theirs].map((all) =>
        all.find(({ session }) => session.status === "active" && session[kind as "phone"] === value),
      );
      compare([`person ${who}`], one, other);
    }
  for (const { key, token } of clients.given) {
    const now = new Date(world.clock.now);
    const [one, other] = await Promise.all([
      opened(world, ours, token, now),
      opened(calm, theirs, token, now),
    ]);
    compare([key], one, other);
  }
  return counted;
}

async function opened(
  world: World,
  all: readonly StoredSession[],
  token: string,
  now: Date,
): Promise<StoredSession | undefined> {
  const session_id = await openedBy(world, token, now);
  return all.find(({ session }) => session.session_id === session_id);
}

/** The metadata without session ids in its conflicts, because each world makes its own ids. */
function withoutIds(metadata: Session["metadata"], session_ids: ReadonlySet<string>): object {
  const { merge_conflicts, ...rest } = metadata;
  if (!Array.isArray(merge_conflicts)) return metadata;
  const conflicts = merge_conflicts.map(({ session_id, ...conflict }) => {
    expect(session_ids).toContain(session_id);
    return conflict;
  });
  return { ...rest, merge_conflicts: conflicts };
}

/** The earlier sessions in the chain of this one, newest first. */
function before({ session }: StoredSession, all: readonly StoredSession[]): StoredSession[] {
  const one = all.find((other) => other.session.session_id === session.previous_session_id);
  return one ? [one, ...before(one, all)] : [];
}

function texts({ messages }: StoredSession): string[] {
  return messages.filter(isCustomers).map(({ external_id }) => external_id!);
}

function loosely({ session }: StoredSession): object {
  const { phone, telegram_chat_id, status } = session;
  return { ...(phone && { phone }), ...(telegram_chat_id && { telegram_chat_id }), status };
}

/**
 * The values that must be the same: all but ids, versions and the times of the bot's answers. A session that was opened
 * before a waiting message began at another time and maybe on another channel; its list of channels is the same.
 */
function exactly(
  { session, messages }: StoredSession,
  all: readonly StoredSession[],
  isHasty: boolean,
  { session_ids }: World,
): object {
  const {
    session_id,
    previous_session_id,
    version,
    updated_at,
    channels,
    channel,
    created_at,
    message_count,
    metadata,
    ...rest
  } = session;
  const customers = messages
    .filter(isCustomers)
    .map(({ message_id, session_id, seq, channel, ...message }) =>
      // An update's message has the channel on which the session began.
      isHasty && message.external_id?.startsWith("u") ? message : { ...message, channel },
    );
  // The batches depend on when the bot was busy.
  const replies = messages.filter(isReply);
  const answered = replies.flatMap(({ text }) => answeredBy(text));
  const said = message_count - replies.length;
  const [last] = before({ session, messages }, all);
  const began = isHasty ? { channels: channels.toSorted() } : { channels, channel, created_at };
  return {
    ...rest,
    ...began,
    metadata: withoutIds(metadata, session_ids),
    customers,
    said,
    answered: answered.sort(),
    before: last && texts(last),
  };
}
