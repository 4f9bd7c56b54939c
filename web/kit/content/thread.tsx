import type { Message } from "@session-hub/client";
import type { ComponentChildren } from "preact";
import { Bubble, type Ticks } from "../components/bubble.tsx";
import { Marked } from "../components/marked.tsx";
import type { Draft, Waiting } from "../conversation.ts";
import { FileOnWay } from "./file-on-way.tsx";
import { type Choice, type ContentProps, MessageContent } from "./message-content.tsx";
import { React } from "./react.tsx";
import { isChange, reactionsIn } from "./reactions.ts";
import { words } from "./words.ts";

export interface ThreadProps {
  readonly messages: readonly Message[];
  readonly waiting: readonly Waiting[];
  /** Answers that are being written. */
  readonly drafts?: ReadonlyMap<string, Draft>;
  /** The names of those who write, read aloud before each message. */
  readonly names: { readonly own: string; readonly shop: string };
  /** A choice of this message; only the newest message with choices offers them. */
  readonly onChoose?: ((choice: Choice, of: Message) => void) | undefined;
  /** The customer reacts to a message of the shop; `null` takes it back. */
  readonly onReact?: ((emoji: string | null, to: Message) => void) | undefined;
  /** What stands under a message that was refused, such as a reason. */
  readonly onFailed?: (waiting: Waiting) => ComponentChildren;
  /** Reads the file of a message with the page's credentials. */
  readonly readFile?: ((message: Message, card?: number) => Promise<Blob>) | undefined;
  readonly fileUrl?: ContentProps["fileUrl"];
  readonly hubUrl?: ContentProps["hubUrl"];
  readonly links?: boolean;
}

/** The messages of a customer's own conversation, as the customer sees them. Put it into a `Log`. */
export function Thread({
  messages,
  waiting,
  drafts,
  names,
  onChoose,
  onReact,
  onFailed,
  readFile,
  ...rest
}: ThreadProps) {
  const reactions = reactionsIn(messages);
  const newest = messages.findLast(({ content }) => offersChoices(content));
  const isAnswered =
    newest &&
    messages.some(({ role, seq, kind }) => role === "user" && seq > newest.seq && kind !== "reaction");
  return (
    <>
      {messages.filter(isShown).map((message) => {
        const found = reactions.get(message.message_id);
        return (
          <Line
            key={message.message_id}
            message={message}
            names={names}
            own={found?.get("user") ?? undefined}
            shop={found?.get("assistant") ?? message.reaction ?? undefined}
            onChoose={message === newest && !isAnswered && waiting.length === 0 ? onChoose : undefined}
            onReact={onReact}
            readFile={readFile}
            {...rest}
          />
        );
      })}
      {waiting
        .filter(({ content }) => content?.kind !== "reaction")
        .map((one) => (
          <Bubble
            key={one.external_id}
            side="own"
            author={names.own}
            ticks={ticksOf(one.failed ? "failed" : "waiting")}
          >
            {one.file ? (
              <FileOnWay file={one.file} />
            ) : (
              <MessageContent
                message={{ text: one.text, content: { kind: "text", text: one.text }, deleted_at: null }}
              />
            )}
            {one.failed && onFailed?.(one)}
          </Bubble>
        ))}
      {[...(drafts ?? [])].map(([answered, { text, format }]) => (
        // It is read aloud once, as the message that takes its place.
        <div class="k-draft" aria-live="off" aria-busy="true" key={answered}>
          <Bubble side="other" author={names.shop}>
            <Marked text={text} format={format} links={false} />
          </Bubble>
        </div>
      ))}
    </>
  );
}

interface LineProps
  extends Pick<ThreadProps, "names" | "onChoose" | "onReact" | "readFile" | "fileUrl" | "hubUrl" | "links"> {
  readonly message: Message;
  /** The reactions of both sides. */
  readonly own: string | undefined;
  readonly shop: string | undefined;
}

/**
 * One message. A component that reads a signal, as the language here, is drawn again only when its props change: a page
 * hands in functions that stay, so that a new message does not draw hundreds.
 */
function Line({ message, names, own, shop, onChoose, onReact, readFile, ...rest }: LineProps) {
  const { language } = words;
  const side = message.role === "user" ? "own" : message.role === "system" ? "system" : "other";
  const canReact = onReact && side === "other" && !message.deleted_at;
  const emoji = [own, shop].filter(Boolean).join(" ");
  return (
    <>
      <Bubble
        side={side}
        author={side === "own" ? names.own : side === "other" ? names.shop : ""}
        at={side === "system" ? undefined : new Date(message.sent_at ?? message.created_at)}
        language={language}
        ticks={side === "own" ? ticksOf("sent") : undefined}
        remark={message.edited_at && !message.deleted_at ? words.say("edited") : undefined}
      >
        <MessageContent
          {...rest}
          message={message}
          readFile={readFile && ((card) => readFile(message, card))}
          onChoose={onChoose && ((choice) => onChoose(choice, message))}
        />
      </Bubble>
      {(emoji || canReact) && (
        <span class="k-below" data-side={side}>
          {emoji && <span class="k-reactions">{emoji}</span>}
          {canReact && <React own={own} onReact={(one) => onReact(one, message)} />}
        </span>
      )}
    </>
  );
}

function ticksOf(status: Ticks): { status: Ticks; label: string } {
  return { status, label: words.say(status) };
}

/** Reactions stand at their messages; edits and pins are seen on them. A link's token is no words of the customer. */
function isShown({ kind, role, text, content }: Message): boolean {
  if (isChange(kind)) return false;
  // An event that has no words of its own, such as `reservation_created`, has only its name.
  return role !== "system" || content?.kind !== "system" || (text !== "" && text !== content.event);
}

function offersChoices(content: Message["content"]): boolean {
  return content?.kind === "buttons" || content?.kind === "list" || content?.kind === "carousel";
}
