import type { Message } from "@session-hub/client";
import { Bubble, type Ticks } from "../components/bubble.tsx";
import type { Waiting } from "../conversation.ts";
import { type Choice, type ContentProps, MessageContent } from "./message-content.tsx";
import { isChange, reactionsIn } from "./reactions.ts";
import { words } from "./words.ts";

export interface ThreadProps {
  readonly messages: readonly Message[];
  readonly waiting: readonly Waiting[];
  /** The names of those who write, read aloud before each message. */
  readonly names: { readonly own: string; readonly shop: string };
  /** A choice of this message; only the newest message with choices offers them. */
  readonly onChoose?: (choice: Choice, of: Message) => void;
  readonly fileUrl?: ContentProps["fileUrl"];
  readonly hubUrl?: ContentProps["hubUrl"];
  readonly links?: boolean;
}

/** The messages of a customer's own conversation, as the customer sees them. Put it into a `Log`. */
export function Thread({ messages, waiting, names, onChoose, ...rest }: ThreadProps) {
  const reactions = reactionsIn(messages);
  const newest = messages.findLast(({ content }) => offersChoices(content));
  const isAnswered =
    newest &&
    messages.some(({ role, seq, kind }) => role === "user" && seq > newest.seq && kind !== "reaction");
  return (
    <>
      {messages.filter(isShown).map((message) => {
        const side = message.role === "user" ? "own" : message.role === "system" ? "system" : "other";
        const canChoose = onChoose && message === newest && !isAnswered && waiting.length === 0;
        const emoji = reactions.get(message.message_id);
        return [
          <Bubble
            key={message.message_id}
            side={side}
            author={side === "own" ? names.own : side === "other" ? names.shop : ""}
            at={side === "system" ? undefined : new Date(message.sent_at ?? message.created_at)}
            language={words.language}
            ticks={side === "own" ? ticksOf("sent") : undefined}
            remark={message.edited_at && !message.deleted_at ? words.say("edited") : undefined}
          >
            <MessageContent
              {...rest}
              message={message}
              onChoose={canChoose ? (choice) => onChoose(choice, message) : undefined}
            />
          </Bubble>,
          emoji && (
            <span class="k-reactions" data-side={side} key={`${message.message_id} reactions`}>
              {emoji}
            </span>
          ),
        ];
      })}
      {waiting.map(({ external_id, text, failed }) => (
        <Bubble
          key={external_id}
          side="own"
          author={names.own}
          ticks={ticksOf(failed ? "failed" : "waiting")}
        >
          <MessageContent message={{ text, content: { kind: "text", text }, deleted_at: null }} />
        </Bubble>
      ))}
    </>
  );
}

function ticksOf(status: Ticks): { status: Ticks; label: string } {
  return { status, label: words.say(status) };
}

/** Reactions stand at their messages. A link's token is no words of the customer. */
function isShown({ kind, role, text, content }: Message): boolean {
  if (isChange(kind)) return false;
  // An event that has no words of its own, such as `reservation_created`, has only its name.
  return role !== "system" || content?.kind !== "system" || (text !== "" && text !== content.event);
}

function offersChoices(content: Message["content"]): boolean {
  return content?.kind === "buttons" || content?.kind === "list" || content?.kind === "carousel";
}
