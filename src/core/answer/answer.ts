import type { Action } from "../../features/actions/action.ts";
import { checkTemplates } from "../../features/templates/check.ts";
import { prepare } from "../content/prepare.ts";
import type { Reply } from "../content/reply.ts";
import { textOfReply } from "../content/text.ts";
import { deliver, type SentAt, type Tally } from "../deliver/deliver.ts";
import { failureOf, HubError, toHubError } from "../errors.ts";
import { asksForPerson } from "../handoff/asks-person.ts";
import { saidAtHandover } from "../handoff/desk-policy.ts";
import type { Hub } from "../hub.ts";
import type { Completed } from "../receive/conversations.ts";
import { withTimeout } from "../timeout.ts";
import { backoffMs } from "./backoff.ts";
import type { Answer, Handoff } from "./bot.ts";
import { publishDone } from "./done.ts";
import { type Draft, openDraft } from "./draft.ts";
import { persist } from "./persist.ts";
import type { Failure, OutboundReply, Turn } from "./turn.ts";

/** Time limit of one `showTyping` call. A platform shows typing for a few seconds only, so a later call is useless. */
const TYPING_MS = 5_000;

/**
 * After sending for longer than this, the next turn is not started. Its lease began when it was handed over, and the
 * rest of the lease is too short for the bot and for sending. The sweep claims the turn once the lease has ended.
 */
const STALE_MS = 20_000;

/**
 * Answers a turn, then the later turns of the same session: asks the bot, saves its replies, delivers them. The sweep
 * finishes turns that are cut off here or left because a platform was slow.
 */
export async function answer(hub: Hub, first: Turn): Promise<void> {
  const typing: Promise<void>[] = [];
  const sentAt: SentAt = new Map();
  try {
    let turn: Turn | undefined = first;
    while (turn) {
      typing.push(showTyping(hub, turn));
      turn = await answerOne(hub, turn, sentAt, typing);
    }
  } finally {
    // The caller keeps the Worker alive until we return. Typing calls must end within that time, and delay nothing
    // else.
    await Promise.all(typing);
  }
}

/** Shows typing while the bot works. The bot does not wait for it, and a failure is only logged. */
async function showTyping(hub: Hub, { session, message, channel: name, address }: Turn): Promise<void> {
  hub.live.publish(session.session_id, { type: "typing", channel: name, seq: message.seq });
  const channel = hub.channels[name];
  const external_id = message.external_id;
  if (!channel || external_id === undefined) return;
  try {
    await withTimeout(TYPING_MS, "typing_timeout", (signal) =>
      channel.showTyping(address, external_id, signal),
    );
  } catch (thrown) {
    const { code, reason } = toHubError(thrown);
    hub.log("warn", "showTyping.failed", { channel: name, session_id: session.session_id, code, reason });
  }
}

/** How a turn ended here. `unsaved`: the store did not save the result; the turn is claimed again after its lease. */
type Ending = "done" | "failed" | "dead" | "stale" | "unsaved";

/**
 * Answers one turn: from the bot to its last claimed delivery. Returns the session's next turn. Writes one log line.
 */
async function answerOne(
  hub: Hub,
  turn: Turn,
  sentAt: SentAt,
  typing: Promise<void>[],
): Promise<Turn | undefined> {
  const tally: Tally = { parts_sent: 0, parts_failed: 0, parts_dead: 0 };
  const times: Record<string, number> = {};
  let outcome: Ending = "unsaved";
  let replies = 0;
  let actions = 0;
  let handoff = false;
  let failure: Failure | undefined;
  let detail: string | undefined;
  const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const began = hub.now().getTime();
    return work().finally(() => {
      times[name] = hub.now().getTime() - began;
    });
  };
  const lane = `${turn.session.session_id} ${turn.channel}`;
  const draft = openDraft(hub, turn, () => sentAt.set(lane, hub.now().getTime()));
  try {
    const answered = await timed("bot_ms", () => ask(hub, turn, draft));
    const stopped = draft.stop();
    if ("replies" in answered && answered.typing) typing.push(showTyping(hub, turn));
    const { asked, completed } = await timed("save_ms", () => save(hub, turn, answered));
    if ("failure" in asked) ({ failure, detail } = asked);
    else {
      replies = asked.replies.length;
      actions = asked.actions.length;
      handoff = asked.handoff !== undefined;
    }
    outcome = completed.stale ? "stale" : "replies" in asked ? "done" : asked.retryAt ? "failed" : "dead";
    await stopped;
    if ("failure" in asked && !completed.stale) {
      await draft.withdraw(asked.retryAt !== undefined);
      publishFailure(hub, turn, asked);
    }
    const { messages, done } = completed;
    if (messages.length + (done?.messages.length ?? 0) > 0)
      hub.live.publish((done?.session ?? messages[0]!).session_id, { type: "messages" });
    for (const message of completed.changed ?? [])
      hub.live.publish(message.session_id, { type: "message", message });
    if (!("failure" in asked) || completed.stale) await draft.withdraw();
    if (done) publishDone(hub, done);
    await timed("send_ms", () => deliver(hub, completed.deliveries, tally, sentAt));
    return (times.send_ms ?? 0) > STALE_MS ? undefined : completed.next;
  } catch (thrown) {
    failure = failureOf(toHubError(thrown));
    await draft.stop();
    await draft.withdraw();
    throw thrown;
  } finally {
    hub.log(outcome === "dead" ? "error" : outcome === "done" && !failure ? "info" : "warn", "turn", {
      turn_id: turn.turn_id,
      session_id: turn.session.session_id,
      message_id: turn.message.message_id,
      channel: turn.channel,
      attempt: turn.attempt,
      outcome,
      ...failure,
      ...(detail !== undefined && { detail }),
      messages: turn.messages.length,
      replies,
      ...(actions > 0 && { actions }),
      ...(handoff && { handoff }),
      ...tally,
      ...times,
    });
  }
}

/** The bot's answer, or its failure. */
type Asked = Answered | Refused;

interface Answered {
  readonly replies: readonly OutboundReply[];
  readonly actions: readonly Action[];
  readonly handoff?: Handoff;
  readonly typing: boolean;
}

interface Refused {
  readonly failure: Failure;
  /** What the bot's author has to fix; never the content of a message. */
  readonly detail?: string;
  /** When to ask again; without it the turn is a dead letter. */
  readonly retryAt?: Date;
}

async function ask(hub: Hub, turn: Turn, draft: Draft): Promise<Asked> {
  const { store, now, log } = hub;
  try {
    if (turn.attempt > hub.policy.turnAttempts)
      throw new HubError("rejected", "given up", { reason: "abandoned" });
    if (isForPerson(hub, turn))
      return answered(hub, turn, {
        replies: [],
        actions: [],
        handoff: { reason: "asked", by: "customer" },
      });
    const answer = await withTimeout(hub.policy.botMs, "bot_timeout", (signal) =>
      hub.bot.reply(turn, signal, { store, now, log, draft }),
    );
    const { replies, ...rest } = "replies" in answer ? answer : { replies: answer, actions: [] };
    const channel = hub.channels[turn.channel];
    if (channel) await checkTemplates(hub, turn.channel, channel, replies);
    return answered(hub, turn, { replies, ...rest });
  } catch (thrown) {
    return refused(hub, turn, toHubError(thrown));
  }
}

/** Whether the customer asks for a person by a word, and there is a desk: then the bot is not asked. */
function isForPerson({ desk, store }: Hub, { messages }: Turn): boolean {
  if (!desk?.words || !store.features) return false;
  return messages.some(({ kind, text }) => kind === "text" && asksForPerson(text));
}

function answered(hub: Hub, turn: Turn, { replies, ...rest }: Answer): Answered {
  const typing = replies.some(({ kind }) => kind === "typing");
  const own =
    rest.handoff && hub.desk && hub.store.features
      ? saidAtHandover(hub.desk, rest.handoff.by ?? "bot", turn.session.language, hub.now())
      : [];
  return { replies: outbound(hub, turn, [...replies, ...own]), typing, ...rest };
}

/** A failed attempt: when the bot is asked again, if it is, or the bot's answer to a turn without further attempts. */
function refused(hub: Hub, turn: Turn, error: HubError): Asked {
  const refusal = { failure: failureOf(error), ...(error.code !== "internal" && { detail: error.message }) };
  if (error.code === "rejected" || turn.attempt >= hub.policy.turnAttempts) {
    if (!hub.bot.giveUp) return refusal;
    const { turn_id, session } = turn;
    hub.log("warn", "turn.given_up", { turn_id, session_id: session.session_id, ...refusal.failure });
    return answered(hub, turn, hub.bot.giveUp(turn));
  }
  const wait = Math.max(backoffMs(turn.attempt), error.retryAfterMs ?? 0);
  return { ...refusal, retryAt: new Date(hub.now().getTime() + wait) };
}

/** Publishes a failed turn, so that a waiting device can distinguish a failure from a bot that stays silent. */
function publishFailure({ live }: Hub, { attempt, message }: Turn, { failure, retryAt }: Refused): void {
  const { session_id, message_id } = message;
  const state = retryAt ? "retrying" : "dead";
  live.publish(session_id, { type: "turn", message_id, turn: { state, attempt, ...failure } });
}

/**
 * Saves the answer, or the failure. An answer with a refused action is a failure as any other: nothing of it is saved, and the bot is
 * asked again, with the reason.
 */
async function save(hub: Hub, turn: Turn, asked: Asked): Promise<{ asked: Asked; completed: Completed }> {
  const { conversations } = hub.store;
  if ("failure" in asked) {
    const fail = () => conversations.fail(turn, asked.failure, asked.retryAt, hub.now());
    return { asked, completed: await persist(hub, fail) };
  }
  const { replies, actions, handoff } = asked;
  try {
    const complete = () =>
      conversations.complete(turn, replies, hub.now(), actions.length > 0 ? actions : undefined, handoff);
    return { asked, completed: await persist(hub, complete) };
  } catch (thrown) {
    const { code, message, details } = toHubError(thrown);
    const place = details?.action;
    if (typeof place !== "number") throw thrown;
    const reason = `actions[${place}]`;
    return save(hub, turn, refused(hub, turn, new HubError(code, `${reason}: ${message}`, { reason })));
  }
}

/** The replies, rendered for the turn's channel. `typing` is shown at once and never saved. */
function outbound(hub: Hub, { channel: name, message }: Turn, replies: readonly Reply[]): OutboundReply[] {
  const channel = hub.channels[name];
  const said = replies.filter(({ kind }) => kind !== "typing");
  if (!channel)
    return said.map((content) => ({ content, parts: [{ kind: "text", text: textOfReply(content) }] }));
  return (channel.join?.(said) ?? said).map((reply) => {
    const { content, parts } = prepare(name, channel, reply, { external_id: message.external_id });
    return { content, parts };
  });
}
