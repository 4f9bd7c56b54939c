import type { Bot, BotParts } from "../../core/answer/bot.ts";
import type { Draft } from "../../core/answer/draft.ts";
import type { Turn } from "../../core/answer/turn.ts";
import { textIn } from "../../core/texts/text-in.ts";
import { bookTable } from "./book.ts";
import { DEMO } from "./demo.ts";

/** The pause between two words of the demo's first reply. */
const WORD_MS = 120;

/**
 * Answers `/demo` with a reply of each kind, the first of which is seen growing, and books a table when it is asked to (`/book`). Repeats any other message, and names
 * its channel and the session's channels. Greets a customer by name, once, in their language.
 */
export default function echo() {
  return {
    history: 0,
    async reply(turn: Turn, signal: AbortSignal, parts?: Pick<BotParts, "draft">) {
      const { message, session, customer, channel } = turn;
      if (message.kind === "text" && message.text.trim() === "/demo") {
        if (parts?.draft) await grow(parts.draft, signal);
        return [...DEMO];
      }
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

/** Shows the demo's first reply word by word, as a bot does that streams its answer. */
async function grow(draft: Draft, signal: AbortSignal): Promise<void> {
  const [first] = DEMO;
  if (first?.kind !== "text") return;
  const words = first.text.split(/(?<=\s)/);
  for (let i = 1; i <= words.length && !signal.aborted; i++) {
    draft.show(words.slice(0, i).join(""), first.format);
    await new Promise((later) => setTimeout(later, WORD_MS));
  }
}
