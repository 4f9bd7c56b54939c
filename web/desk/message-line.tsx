import { useSignal } from "@preact/signals";
import { Pencil, SmilePlus, Trash2 } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Bubble, type Ticks } from "../kit/components/bubble.tsx";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { MessageContent } from "../kit/content/message-content.tsx";
import { words as contentWords } from "../kit/content/words.ts";
import type { Message } from "./api.ts";
import { loadFile, shownMessage, waitsForClick } from "./message-file.ts";
import { isMarked, react, remove } from "./sending.ts";
import { draft, editing, me, mode, sought, users } from "./state.ts";
import { words } from "./words.ts";

const TICKS: Readonly<Record<NonNullable<Message["status"]>, [Ticks, Parameters<typeof words.say>[0]]>> = {
  pending: ["waiting", "statusWaiting"],
  sent: ["sent", "statusSent"],
  delivered: ["delivered", "statusDelivered"],
  read: ["read", "statusRead"],
  played: ["read", "statusRead"],
  failed: ["failed", "statusFailed"],
};
/** Reactions that each channel has. */
const EMOJI = ["👍", "❤️", "😁", "🙏", "😢", "🔥"];

export interface MessageLineProps {
  readonly message: Message;
  /** The reactions to it, as one text, empty without one. */
  readonly reactions: string;
}

/** One message of the thread, of any kind, with what staff can do with it. */
export function MessageLine({ message, reactions }: MessageLineProps) {
  const { role, text, content, status, created_at, channel, edited_at, deleted_at, message_id } = message;
  const line = useRef<HTMLDivElement>(null);
  const isSought = sought.value === message_id;
  useEffect(() => {
    if (isSought) line.current?.scrollIntoView({ block: "center" });
  }, [isSought]);
  const ticks = status && role !== "user" ? TICKS[status] : undefined;
  const side = role === "system" ? "system" : role === "user" ? "other" : "own";
  const isEvent = role === "system" && content.kind === "system";
  return (
    <div class="desk-message" data-side={side} data-sought={isSought ? "" : undefined} ref={line}>
      <Bubble
        side={side}
        author={authorOf(message)}
        showsAuthor={side !== "system"}
        at={new Date(created_at)}
        language={words.language}
        ticks={ticks && { status: ticks[0], label: words.say(ticks[1]) }}
        remark={
          <span>
            {channel}
            {edited_at && !deleted_at && ` · ${contentWords.say("edited")}`}
            {message.pinned_at && ` · ${words.say("pinned")}`}
          </span>
        }
      >
        {isEvent && !deleted_at ? (
          <span>{text !== "" ? text : content.event.replaceAll("_", " ")}</span>
        ) : content.kind === "template" ? (
          <Template message={message} />
        ) : (
          <MessageContent message={shownMessage(message)} fileUrl={ownOnly} />
        )}
        {waitsForClick(message) && (
          <Button look="quiet" onClick={() => void loadFile(message)}>
            {words.say("loadFile")}
          </Button>
        )}
      </Bubble>
      {side !== "system" && !deleted_at && <Tools message={message} />}
      {reactions && (
        <span class="k-reactions" data-side={side}>
          {reactions}
        </span>
      )}
    </div>
  );
}

/** A card's picture is loaded if the hub has signed its link; the page asks no other host. */
const ownOnly = ({ url }: { readonly url?: string }) => {
  const given = url === undefined ? undefined : new URL(url, location.origin);
  if (!given?.pathname.startsWith("/api/media/") || !given.searchParams.has("signature")) return undefined;
  return given.pathname + given.search;
};

function Template({ message }: { readonly message: Message }) {
  const { name, language } = message.content as { name?: string; language?: string };
  return (
    <>
      <small class="k-footer">{words.say("templateNamed", { name: `${name} (${language})` })}</small>
      {message.text !== "" && <div class="k-text">{message.text}</div>}
    </>
  );
}

function authorOf({ role, author }: Message): string {
  if (role === "user") return words.say("customer");
  if (role === "assistant") return words.say("bot");
  if (role === "system") return words.say("system");
  const id = author?.slice("user:".length);
  if (id === me.value?.user_id) return words.say("you");
  return users.value.find(({ user_id }) => user_id === id)?.name ?? words.say("colleague");
}

function Tools({ message }: { readonly message: Message }) {
  const picks = useSignal(false);
  const asks = useSignal(false);
  const { say } = words;
  const isOwn = message.role === "operator" && message.author === `user:${me.value?.user_id}`;
  const mayChange = isOwn || (me.value?.role === "admin" && message.direction === "outbound");
  return (
    <span class="desk-tools">
      <IconButton
        label={say("react")}
        aria-expanded={picks.value}
        onClick={() => (picks.value = !picks.value)}
      >
        <Icon of={SmilePlus} />
      </IconButton>
      {mayChange && message.kind === "text" && (
        <IconButton
          label={say("edit")}
          onClick={() => {
            const { content } = message;
            editing.value = message;
            mode.value = "reply";
            isMarked.value = "format" in content && content.format === "markdown";
            draft.value = message.text;
            document.querySelector<HTMLTextAreaElement>(".desk-writing textarea")?.focus();
          }}
        >
          <Icon of={Pencil} />
        </IconButton>
      )}
      {mayChange && (
        <IconButton label={say("remove")} onClick={() => (asks.value = true)}>
          <Icon of={Trash2} />
        </IconButton>
      )}
      {picks.value && (
        <span class="desk-emoji">
          {EMOJI.map((emoji) => (
            <button
              key={emoji}
              type="button"
              class="k-button"
              data-look="bare"
              data-icon=""
              aria-pressed={message.reaction === emoji}
              onClick={() => {
                picks.value = false;
                void react(message, emoji);
              }}
            >
              {emoji}
            </button>
          ))}
        </span>
      )}
      {asks.value && (
        <Dialog title={say("removeAsk")} onClose={() => (asks.value = false)}>
          <p>{say("removeBody")}</p>
          <div class="k-actions">
            <Button look="quiet" onClick={() => (asks.value = false)}>
              {say("cancel")}
            </Button>
            <Button
              look="danger"
              onClick={() => {
                asks.value = false;
                void remove(message);
              }}
            >
              {say("remove")}
            </Button>
          </div>
        </Dialog>
      )}
    </span>
  );
}
