import type { OutboundReply, Part } from "../answer/turn.ts";
import type { Channel } from "../channel.ts";
import { type OutsideWindow, withOutside } from "../deliver/window.ts";
import { HubError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { choicesOf } from "./choices.ts";
import type { Reply } from "./reply.ts";
import type { Rule } from "./table.ts";
import { textOfReply } from "./text.ts";

/** What a channel makes of one reply. */
export interface Rendered {
  /** The calls, in order. Empty on a channel whose customers fetch their replies themselves. */
  readonly parts: readonly Part[];
  /** The choices were sent as numbered text. */
  readonly numbered?: boolean;
  /** The limits that changed the reply, in words, for its author. */
  readonly notes?: readonly string[];
}

/** The message of the customer that a reply answers. */
export interface Answered {
  /** Its id at the platform; absent if nothing is answered. */
  readonly external_id?: string | undefined;
}

/** A reply as it will be sent: what is saved, and the notes of its rendering. */
export interface Prepared extends OutboundReply {
  /** How it is sent: as its own kind, as something else, as text, or by the bot's own call. */
  readonly as: Rule["as"] | "raw";
  readonly notes: readonly string[];
}

/**
 * Renders a reply for its channel, and checks it against the channel's limits. Throws `unavailable` with the reason
 * `bot_bad_reply` if the channel cannot send it in any form: the bot has to change its answer.
 */
export function prepare(name: string, channel: Channel, given: Reply, answered: Answered): Prepared {
  if (given.kind === "text" && given.text.trim() === "") throw unrenderable("text: is blank");
  const { reply, own, wish } = withoutOrders(given, name);
  const made = rendered(channel, reply, own, answered);
  return channel.window ? { ...made, parts: withOutside(channel.window, made.parts, wish) } : made;
}

function rendered(channel: Channel, reply: Reply, own: JsonObject | undefined, answered: Answered): Prepared {
  if (own && channel.renderRaw)
    return { content: reply, as: "raw", notes: [], parts: [channel.renderRaw(own, textOfReply(reply))] };
  const rule: Rule = channel.content?.[reply.kind] ?? { as: reply.kind === "text" ? "native" : "text" };
  if (rule.as === "refused") throw unrenderable(`this channel has no ${reply.kind}`);
  if (rule.as === "text" || !channel.render) return asText(channel, reply, rule);
  const { parts, numbered, notes = [] } = channel.render(reply, answered);
  return { content: withNumbers(reply, numbered), as: rule.as, notes, parts };
}

/**
 * A reply without what its sender says about sending: its calls for platforms, and its wish for a closed window. Both are not
 * saved in the history.
 */
function withoutOrders(
  given: Reply,
  name: string,
): { reply: Reply; own: JsonObject | undefined; wish: OutsideWindow | undefined } {
  if (!("raw" in given) && !("outside_window" in given))
    return { reply: given, own: undefined, wish: undefined };
  const { raw = {}, outside_window: wish, ...reply } = given as Extract<Reply, { kind: "text" }>;
  return { reply, own: Object.hasOwn(raw, name) ? (raw[name] as JsonObject) : undefined, wish };
}

/** The text of a reply in its place. The numbers of its choices are accepted as answers. */
function asText(channel: Channel, reply: Reply, { as }: Rule): Prepared {
  const text = textOfReply(reply);
  if (text.trim() === "") throw unrenderable(`this channel has no ${reply.kind}, and no text says it`);
  const parts = channel.split({ kind: "text", text });
  const notes = reply.kind === "text" ? [] : [`${reply.kind} is sent as text`];
  const content = reply.kind === "text" ? reply : withNumbers(reply, choicesOf(reply).length > 0);
  return { content, as: reply.kind === "text" ? as : "text", notes, parts };
}

function withNumbers(reply: Reply, numbered = false): Reply {
  if (!("numbered" in reply) && !numbered) return reply;
  const { numbered: _, ...rest } = reply as Extract<Reply, { kind: "buttons" }>;
  return numbered ? { ...rest, numbered } : rest;
}

/** The error of a reply that a channel cannot send. `why` names fields and limits, never the bot's text. */
export function unrenderable(why: string): HubError {
  return new HubError("unavailable", why, { reason: "bot_bad_reply" });
}
