import { expect } from "vitest";
import type { Message } from "../../../src/core/messages/message.ts";
import type { Session } from "../../../src/core/sessions/session.ts";
import { PEOPLE } from "./customers.ts";
import type { History } from "./history.ts";
import type { Shop } from "./hub.ts";
import { answeredBy, replyTo, type Take, type World } from "./world.ts";

/** Checks everything that was promised, of a run that has come to its end. Returns how much could be compared exactly. */
export async function judge(history: History, calm: World): Promise<{ exact: number; loose: number }> {
  const { world, shop, loose } = history;
  if (world.bugs.length > 0) throw world.bugs[0];
  const sessions = await allOf(world);
  const messages = sessions.flatMap((session) => session.messages);
  // Sessions that have expired are marked by sweeps, which the calm world has none of.
  await calm.store.housekeeping.expire(new Date(world.clock.now), 1_000);
  storedOnce(history, messages);
  inOrder(shop, loose, sessions);
  answeredOnce(messages);
  const unsent = blockedReplies(shop, messages);
  sentOnce(world, shop, messages, unsent);
  const dead = await world.store.operations.deadLetters(undefined, 1_000);
  expect(dead.filter(({ reason, message_id }) => reason !== "blocked" || !unsent.has(message_id))).toEqual(
    [],
  );
  await tokensOpen(history, calm);
  return alike(history, sessions, await allOf(calm), calm);
}

interface Talk {
  readonly session: Session;
  readonly messages: readonly Message[];
}

/** Every session that did not merge into another. */
async function allOf({ store, session_ids, clock }: World): Promise<Talk[]> {
  const now = new Date(clock.now);
  const found = new Map<string, Talk>();
  for (const session_id of session_ids) {
    const exported = await store.privacy.export({ session_id }, undefined, 1_000, "model", now);
    const page = await store.sessions.messages({ session_id }, 0, 1_000, now);
    // An export holds every session of the customer; a merged one leads to what became of it.
    for (const { addresses, devices, unreachable, has_password, ...session } of exported.sessions)
      if (session.session_id === page.session_id)
        found.set(page.session_id, { session, messages: page.messages });
  }
  return [...found.values()];
}

const isCustomers = ({ direction, external_id }: Message) =>
  direction === "inbound" || external_id !== undefined;

/**
 * Whatever was acknowledged is there once; whatever was refused for sure is not there. One message may be acknowledged and
 * end in the quarantine: a device's that comes while its own token dies, where nobody can tell which came first: of a
 * sign-out, of its session's end, or of a start by which two customers become one. The journal takes it by the word of
 * the cache, which the death reaches after its answer, or never where that is cut off; then the calm world refuses the
 * message too. What ends a token waits for the messages before it, unless the journal does not answer.
 */
function storedOnce({ world, shop, loose, blind }: History, messages: readonly Message[]): void {
  const { deeds, left } = shop;
  let refused = 0;
  const count = new Map<string, number>();
  for (const { external_id } of messages.filter(isCustomers))
    count.set(external_id!, (count.get(external_id!) ?? 0) + 1);
  for (const { name, keys, acked, cut, messages: brought, isRefusedCalmly } of deeds)
    for (const id of brought) {
      const found = count.get(id) ?? 0;
      const isUnclear = (key: string) =>
        loose.has(key) &&
        deeds.some(
          ({ ends, keys, firstStep }) =>
            ends && keys.includes(key) && (blind.has(key) || (acked && firstStep <= acked.step)),
        );
      const isLate = isRefusedCalmly && keys.some((key) => left.has(key));
      const mayBeRefused = name.startsWith("web") && (isLate || keys.some(isUnclear));
      if (acked && found === 0 && mayBeRefused) refused++;
      else if (found > 1 || (acked && found === 0) || (!acked && !cut && found > 0))
        throw new Error(`${id} of ${name} is there ${found} times`, { cause: { acked, cut } });
    }
  if (world.quarantined.length > refused) throw world.quarantined[0];
}

/** Who came later, after an acknowledgement, stands later. */
function inOrder({ deeds }: Shop, loose: ReadonlySet<string>, sessions: readonly Talk[]): void {
  const brought = new Map(deeds.flatMap((deed) => deed.messages.map((id) => [id, deed] as const)));
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
 * Each message that wakes the bot is answered by one reply, alone or with others of a batch; to a platform replies stand
 * in the order of what they answer.
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
  // On the web a person may have talked in two sessions before they merged.
  const lanes = Map.groupBy(replies.filter(isSent), ({ session_id, channel }) => `${session_id} ${channel}`);
  for (const lane of lanes.values()) {
    const places = lane.flatMap(({ text }) => answeredBy(text).map((id) => byId.get(id)!.seq));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  }
}

/**
 * The replies that failed because their customer had blocked us on that channel, by their ids. A message there says that it
 * is over, whenever it is delivered again: so some block must have happened after all messages that the reply answers.
 */
function blockedReplies({ deeds }: Shop, messages: readonly Message[]): ReadonlySet<string> {
  const brought = new Map(deeds.flatMap((deed) => deed.messages.map((id) => [id, deed] as const)));
  const failed = messages.filter((message) => isReply(message) && message.status === "failed");
  const mayFail = ({ text, channel }: Message) =>
    deeds.some(
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

/** Each part was taken until that was recorded, not after, and none before the part before it was recorded. */
function sentOnce(
  { takes }: World,
  { receipts }: Shop,
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
        // Who is held up for longer than the lease may do again what somebody else has done meanwhile.
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
 * Every token that is alive opens the session that it was said to open, or the one that became of it. It is alive where it
 * is in the calm world. Where its order is loose the two worlds may disagree in two cases alone:
 * - an end, a sign-out, or a start by which two customers become one may have come before or after it was given;
 * - it was given by a restore before which the calm world has no session.
 */
async function tokensOpen({ world, shop, loose }: History, calm: World): Promise<void> {
  const now = new Date(world.clock.now);
  for (const { key, by, token, session_id } of shop.given) {
    const [byToken, calmly] = await Promise.all([openedBy(world, token, now), openedBy(calm, token, now)]);
    const wasEarly = by.name.startsWith("restore of") && by.isRefusedCalmly;
    const mayDiffer = loose.has(key) && (shop.left.has(key) || shop.joined.has(key) || wasEarly);
    if (!mayDiffer) expect([key, byToken !== undefined]).toEqual([key, calmly !== undefined]);
    if (byToken === undefined) continue;
    const byId = await world.store.sessions.messages({ session_id }, 0, 1, now);
    expect(byId.session_id).toBe(byToken);
  }
}

/** The session that a token opens; undefined when it is dead. */
async function openedBy({ store }: World, token_hash: string, now: Date): Promise<string | undefined> {
  try {
    return (await store.sessions.messages({ token_hash }, 0, 1, now)).session_id;
  } catch (error) {
    expect(["session_not_found", "session_expired"]).toContain((error as { code?: string }).code);
    return undefined;
  }
}

/** Each session is as the calm world has it; of those whose order nobody can tell, only what it must hold. */
async function alike(
  { shop, loose, hasty, world }: History,
  ours: readonly Talk[],
  theirs: readonly Talk[],
  calm: World,
): Promise<{ exact: number; loose: number }> {
  const counted = { exact: 0, loose: 0 };
  const compare = (keys: readonly string[], one: Talk | undefined, other: Talk | undefined) => {
    if (!other) return; // Only something that was never acknowledged has opened it.
    // Nobody knows of an end that was cut off whether it came to pass.
    if (!one && keys.some((key) => loose.has(key) && shop.left.has(key))) return;
    if (!one) throw new Error(`${keys} have no session`, { cause: other });
    if (keys.some((key) => loose.has(key))) {
      counted.loose++;
      expect(loosely(one)).toEqual(expect.objectContaining(loosely(other)));
      // An end that was cut off, or that came at the same time, may have come to pass between two of these.
      const mayHaveEnded = keys.some((key) => shop.left.has(key));
      const talks = mayHaveEnded ? [one, ...before(one, ours)] : [one];
      expect(talks.flatMap(texts).sort()).toEqual(expect.arrayContaining(texts(other)));
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
  for (const { key, token } of shop.given) {
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
  all: readonly Talk[],
  token: string,
  now: Date,
): Promise<Talk | undefined> {
  const session_id = await openedBy(world, token, now);
  return all.find(({ session }) => session.session_id === session_id);
}

/** Conflicts name the session that lost one, by an id that each world makes itself. */
function withoutIds(metadata: Session["metadata"], session_ids: ReadonlySet<string>): object {
  const { merge_conflicts, ...rest } = metadata;
  if (!Array.isArray(merge_conflicts)) return metadata;
  const conflicts = merge_conflicts.map(({ session_id, ...conflict }) => {
    expect(session_ids).toContain(session_id);
    return conflict;
  });
  return { ...rest, merge_conflicts: conflicts };
}

/** The sessions that ended before this one, the last first. */
function before({ session }: Talk, all: readonly Talk[]): Talk[] {
  const one = all.find((other) => other.session.session_id === session.previous_session_id);
  return one ? [one, ...before(one, all)] : [];
}

function texts({ messages }: Talk): string[] {
  return messages.filter(isCustomers).map(({ external_id }) => external_id!);
}

function loosely({ session }: Talk): object {
  const { phone, telegram_chat_id, status } = session;
  return { ...(phone && { phone }), ...(telegram_chat_id && { telegram_chat_id }), status };
}

/**
 * All that must be the same: not ids, versions, and when the bot answered. A session that was opened before the message that
 * waited began at another time and maybe on another channel; it has the same channels.
 */
function exactly(
  { session, messages }: Talk,
  all: readonly Talk[],
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
      // A message that an update tells has the channel on which the session began.
      isHasty && message.external_id?.startsWith("u") ? message : { ...message, channel },
    );
  // Which messages are answered together depends on when the bot was busy.
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
