import type { Bot } from "../../core/answer/bot.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { textIn } from "../../core/texts/text-in.ts";
import { bookTable } from "./book.ts";
import { DEMO } from "./demo.ts";

/**
 * Answers `/demo` with a reply of each kind, and books a table when it is asked to (`/book`). Repeats any other message, and names
 * its channel and the session's channels. Greets a customer by name, once, in their language.
 */
export default function echo() {
  return {
    history: 0,
    async reply(turn: Turn, _: AbortSignal) {
      const { message, session, customer, channel } = turn;
      if (message.kind === "text" && message.text.trim() === "/demo") return [...DEMO];
      const booked = bookTable(turn);
      if (booked) return booked;
      const heard = message.text
        ? `You said "${message.text}"`
        : `You sent a message of kind ${message.kind}`;
      const seen = session.channels.join(", ");
      const isFirst = session.message_count === 1 && customer?.name;
      const greeting = isFirst ? `${textIn(session.language, "greeting", { name: customer.name })} ` : "";
      return [{ kind: "text", text: `${greeting}${heard} on ${channel}. This session has seen: ${seen}.` }];
    },
  } satisfies Bot;
}
