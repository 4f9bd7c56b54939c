import type { Hub } from "../core/hub.ts";
import type { Message, TurnState } from "../core/messages/message.ts";
import { pause, poll } from "./poll.ts";

const PAGE = 200;
/** A redelivery of something old has many messages after it; its replies are near. */
const PAGES = 5;

/** What came of an inbound message while somebody waited. */
interface Answered {
  readonly replies: readonly Message[];
  /** How far its turn is; absent when that is over: the bot has answered, or stays silent. */
  readonly turn?: TurnState;
}

/**
 * The replies to an inbound message, waited for until `waitMs` are over or the caller hangs up, or the turn has failed.
 * `answering` ends when the bot has had its turn here; without it somebody else holds the session's turn, and the store
 * is asked until then.
 */
export async function repliesTo(
  hub: Hub,
  message: Message,
  waitMs: number,
  signal: AbortSignal,
  answering?: Promise<unknown>,
): Promise<Answered> {
  const started = Date.now();
  let answered = false;
  const watched = answering?.then(() => {
    answered = true;
  });
  if (watched) await pause(waitMs, signal, watched);
  const left = Math.max(0, waitMs - (Date.now() - started));
  const { seen } = await poll(
    async () => {
      const isLast = answered;
      return { isLast, seen: await look(hub, message) };
    },
    ({ isLast, seen }) => isLast || seen.replies.length > 0 || hasFailed(seen.turn),
    left,
    signal,
  );
  return seen;
}

/** Whether this attempt brings no reply any more. */
function hasFailed(turn: TurnState | undefined): boolean {
  return turn?.state === "retrying" || turn?.state === "dead";
}

async function look(hub: Hub, message: Message): Promise<Answered> {
  const replies: Message[] = [];
  let turn: TurnState | undefined;
  // From the message itself on: its turn stands with it.
  let after = message.seq - 1;
  for (let page = 0; page < PAGES; page++) {
    const { messages, cursor, more } = await hub.store.sessions.messages(
      { session_id: message.session_id },
      after,
      PAGE,
      hub.now(),
    );
    turn ??= messages.find(({ message_id }) => message_id === message.message_id)?.turn;
    const later = messages.filter(({ seq }) => seq > message.seq);
    const answered = answeredBy(hub, message, later);
    replies.push(...later.filter((one) => one.direction === "outbound" && one.reply_to === answered));
    if (!more || replies.length > 0) break;
    after = cursor;
  }
  return { replies, ...(turn && { turn }) };
}

/** The message that the replies name: this one, or for a bot that takes messages together the last of its batch. */
function answeredBy({ bot }: Hub, message: Message, after: readonly Message[]): string {
  const isReplyTo = (id: string) => after.some((one) => one.direction === "outbound" && one.reply_to === id);
  if (!bot.batch || isReplyTo(message.message_id)) return message.message_id;
  const sameLine = after.filter((one) => one.direction === "inbound" && one.channel === message.channel);
  return sameLine.find((one) => isReplyTo(one.message_id))?.message_id ?? message.message_id;
}
