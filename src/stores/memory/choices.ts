import { type Choice, type Chosen, choicesOf, chosenIn, interactionOf } from "../../core/content/choices.ts";
import type { Reply } from "../../core/content/reply.ts";
import type { Content } from "../../core/messages/content.ts";
import type { InboundMessage, Message } from "../../core/messages/message.ts";
import { replyTarget } from "./messages.ts";
import type { SessionRow, Tables } from "./tables.ts";

/** How many of a session's newest messages are searched for numbered choices. */
const RECENT = 50;

/**
 * The content of a message, and the message it answers. A tap or a typed number becomes the choice that it names, with the
 * bot's own id and title. A typed number that names nothing stays a text; a tap whose choices are forgotten has no id if it
 * came with a place alone.
 */
export function chosen(
  tables: Tables,
  row: SessionRow,
  inbound: InboundMessage,
): { content: Content; reply_to: string | undefined } {
  const { content } = inbound;
  const reply_to = replyTarget(tables, inbound, row.session.session_id);
  const choice = chosenIn(content);
  if (!choice) return { content, reply_to };
  const reply = replyWithChoices(row, inbound, choice, reply_to);
  const named = reply && namedBy(choice, choicesOf(reply.content as Reply));
  if (reply && named) {
    const { kind: _, text: __, ...given } = content as { kind: string; text?: string };
    const interaction = interactionOf(reply.content.kind as Reply["kind"]);
    return { content: { ...given, kind: "interaction", ...named, interaction }, reply_to: reply.message_id };
  }
  if (choice.typed || choice.place === undefined) return { content, reply_to };
  const { id: _, ...rest } = content as Extract<Content, { kind: "interaction" }>;
  return { content: rest, reply_to };
}

function namedBy({ id, place }: Chosen, choices: readonly Choice[]): Choice | undefined {
  return place === undefined ? choices.find((one) => one.id === id) : choices[place - 1];
}

/**
 * The reply that the message quotes; else, for a typed number, the newest reply with numbers among the replies to the
 * message of the customer that was answered last on the channel.
 */
function replyWithChoices(
  row: SessionRow,
  { channel, reply_to }: InboundMessage,
  { typed }: Chosen,
  target: string | undefined,
): Message | undefined {
  const ours = row.messages
    .map(({ message }) => message)
    .filter((message) => message.channel === channel && message.direction === "outbound");
  const fits = ({ content }: Message) => !typed || "numbered" in content;
  if (reply_to !== undefined) return ours.find((one) => one.message_id === target && fits(one));
  if (!typed) return undefined;
  const from = row.messages.at(-RECENT)?.message.seq ?? 0;
  const newest = ours.filter(({ role, seq }) => role === "assistant" && seq >= from);
  const answered = newest.at(-1)?.reply_to;
  return newest.findLast((one) => answered !== undefined && one.reply_to === answered && fits(one));
}
