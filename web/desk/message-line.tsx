import { useSignal } from "@preact/signals";
import { Pencil, Trash2 } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Bubble, type Ticks } from "../kit/components/bubble.tsx";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { MessageContent } from "../kit/content/message-content.tsx";
import { React } from "../kit/content/react.tsx";
import type { Reactions } from "../kit/content/reactions.ts";
import { words as contentWords } from "../kit/content/words.ts";
import { authorization, type Message } from "./api.ts";
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

export interface MessageLineProps {
  readonly message: Message;
  readonly reactions: Reactions | undefined;
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
  const emoji = [...(reactions?.values() ?? [])].filter((one) => one !== null);
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
          <MessageContent
            message={shownMessage(message)}
            readFile={message.media_url || content.kind === "carousel" ? readerOf(message) : undefined}
            fileUrl={fileUrlOf(message)}
          />
        )}
      </Bubble>
      {side !== "system" && !deleted_at && <Tools message={message} />}
      {emoji.length > 0 && (
        <span class="k-reactions" data-side={side}>
          {emoji.join(" ")}
        </span>
      )}
    </div>
  );
}

/** Reads a message's file with the caller's token. */
const readerOf =
  ({ message_id }: Message) =>
  async (card?: number): Promise<Blob> => {
    const path = `/api/media/${message_id}${card === undefined ? "" : `?card=${card}`}`;
    const answer = await fetch(path, { headers: authorization() });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.blob();
  };

/** A link of the hub at the page's own host: the hub names its files by its public address. */
const here = (url: string) => {
  const { pathname, search } = new URL(url, location.origin);
  return pathname + search;
};

/** The message as the page shows it. It loads what the hub has signed or gives it; a file of another host is a link. */
function shownMessage(message: Message): Message {
  const { content, media_url } = message;
  if (media_url) return { ...message, media_url: here(media_url) };
  if (!("media" in content)) return message;
  const media = content.media as { url?: string; file_name?: string };
  if (media.url === undefined || content.kind === "document") return message;
  const file_name = media.file_name ?? contentWords.say(content.kind as "image");
  return { ...message, content: { ...content, kind: "document", media: { ...media, file_name } } as never };
}

/** A link that the hub has signed, at the page's own host. Undefined for any other: a file is read with the token then. */
const ownOnly = ({ url }: { readonly url?: string }) => {
  const given = url === undefined ? undefined : new URL(url, location.origin);
  if (!given?.pathname.startsWith("/api/media/") || !given.searchParams.has("signature")) return undefined;
  return here(url!);
};

/** A file of another host is a link, and nothing else of another host is asked for. */
const fileUrlOf = ({ content, media_url }: Message) =>
  !media_url && "media" in content ? undefined : ownOnly;

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
  const asks = useSignal(false);
  const { say } = words;
  const isOwn = message.role === "operator" && message.author === `user:${me.value?.user_id}`;
  const mayChange = isOwn || (me.value?.role === "admin" && message.direction === "outbound");
  return (
    <span class="desk-tools">
      <React own={message.reaction ?? undefined} onReact={(emoji) => void react(message, emoji)} />
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
