import type { Hub } from "../core/hub.ts";
import type { Message, TurnState } from "../core/messages/message.ts";
import { pause, poll } from "./poll.ts";

const PAGE = 200;
/** The most pages to read. After an old message there may be many more; its replies stand in the first ones. */
const PAGES = 5;

/** The replies to an inbound message, and the state of its turn. */
interface Answered {
  readonly replies: readonly Message[];
  /** The state of its turn; absent once the bot has answered or stayed silent. */
  readonly turn?: TurnState;
}

/**
 * Waits for the replies to an inbound message, until `waitMs` have passed, `signal` aborts or the turn has failed.
 * `answering` ends when this process has finished the turn. Without it another process holds the session's turn, and
 * the store is polled.
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

/** Whether the current attempt has failed, so that no reply comes from it. */
function hasFailed(turn: TurnState | undefined): boolean {
  return turn?.state === "retrying" || turn?.state === "dead";
}

async function look(hub: Hub, message: Message): Promise<Answered> {
  const replies: Message[] = [];
  let turn: TurnState | undefined;
  // Start at the message itself: its own entry holds the turn's state.
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

/** The message that the replies answer: this one, or with `BOT_BATCH` a later one of the same turn. */
function answeredBy({ bot }: Hub, message: Message, after: readonly Message[]): string {
  const isReplyTo = (id: string) => after.some((one) => one.direction === "outbound" && one.reply_to === id);
  if (!bot.batch || isReplyTo(message.message_id)) return message.message_id;
  const sameChannel = after.filter((one) => one.direction === "inbound" && one.channel === message.channel);
  return sameChannel.find((one) => isReplyTo(one.message_id))?.message_id ?? message.message_id;
}
