import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Avatar } from "../kit/components/avatar.tsx";
import { List, Row } from "../kit/components/list.tsx";
import { words as contentWords } from "../kit/content/words.ts";
import type { Conversation, View } from "./api.ts";
import {
  counts,
  filter,
  found,
  loadMore,
  me,
  open,
  openAt,
  openKey,
  query,
  rows,
  show,
  view,
} from "./state.ts";
import { words } from "./words.ts";

const CHANNELS = ["telegram", "whatsapp", "web", "kiosk"];
const VIEWS: readonly View[] = ["mine", "unassigned", "waiting", "held", "snoozed", "all"];
/** As in desk.css: only the rows on the screen are in the page, however long the list is. */
const ROW_PX = 76;
const BEYOND = 6;
const SEARCH_MS = 250;

const top = signal(0);
const height = signal(900);

/** Views, the search, and the list. */
export function ConversationList() {
  const { say } = words;
  const box = useRef<HTMLDivElement>(null);
  const search = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    const watched = new ResizeObserver(([entry]) => (height.value = entry!.contentRect.height));
    watched.observe(box.current!);
    return () => watched.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(top.value / ROW_PX) - BEYOND);
  const last = Math.min(rows.value.length, Math.ceil((top.value + height.value) / ROW_PX) + BEYOND);
  useEffect(() => {
    if (last >= rows.value.length - BEYOND) void loadMore();
  }, [last, rows.value.length]);
  return (
    <nav class="desk-list" aria-label={say("conversations")}>
      <div class="desk-views">
        {VIEWS.map((one) => (
          <button
            key={one}
            type="button"
            class="k-button"
            data-look="bare"
            aria-pressed={view.value === one}
            onClick={() => {
              box.current!.scrollTop = 0;
              void show({ view: one });
            }}
          >
            {say(one)}
            {one !== "all" && (counts.value?.[one] ?? 0) > 0 && (
              <span class="desk-count">{counts.value![one]}</span>
            )}
          </button>
        ))}
      </div>
      <label class="k-aside" for="desk-search">
        {say("search")}
      </label>
      <input
        id="desk-search"
        class="k-input"
        type="search"
        placeholder={say("search")}
        value={query.value}
        onInput={(event) => {
          const text = event.currentTarget.value;
          clearTimeout(search.current);
          search.current = setTimeout(() => void show({ query: text }), SEARCH_MS);
        }}
      />
      <div class="desk-filters">
        <select
          class="k-input"
          aria-label={say("channel")}
          value={filter.value.channel}
          onChange={(event) => void show({ filter: { channel: event.currentTarget.value } })}
        >
          <option value="">{say("allChannels")}</option>
          {CHANNELS.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        {view.value !== "all" && view.value !== "waiting" && (
          <button
            type="button"
            class="k-button"
            data-look="bare"
            aria-pressed={filter.value.unread}
            onClick={() => void show({ filter: { unread: !filter.value.unread } })}
          >
            {say("onlyUnread")}
          </button>
        )}
      </div>
      <div
        class="desk-rows"
        ref={box}
        tabIndex={-1}
        onScroll={(event) => (top.value = event.currentTarget.scrollTop)}
      >
        {rows.value.length === 0 && found.value.length === 0 && <p class="desk-empty">{say("nothing")}</p>}
        <div style={{ blockSize: `${first * ROW_PX}px` }} />
        <List label={say(query.value === "" ? view.value : "customers")}>
          {rows.value.slice(first, last).map((one) => (
            <Line key={one.customer_key} one={one} />
          ))}
        </List>
        <div style={{ blockSize: `${(rows.value.length - last) * ROW_PX}px` }} />
        {found.value.length > 0 && <FoundMessages />}
      </div>
    </nav>
  );
}

/** Messages that the search has found, below the customers. */
function FoundMessages() {
  const { say } = words;
  return (
    <>
      <h3 class="desk-found-head">{say("messages")}</h3>
      <ul class="k-list" aria-label={say("foundMessages")}>
        {found.value.map(({ message_id, customer, snippet, channel, created_at }) => (
          <li key={message_id} class="desk-found">
            <button
              type="button"
              class="k-row"
              disabled={!customer}
              onClick={() => void openAt(customer!.customer_key, message_id)}
            >
              <span class="desk-line">
                <span class="desk-line-head">
                  <bdi class="desk-name">{customer ? nameOf(customer) : say("unnamed")}</bdi>
                  <time dateTime={created_at}>{timeOf(created_at)}</time>
                </span>
                <span dir="auto">{piecesOf(snippet)}</span>
                <span class="desk-line-foot">{channel}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

/** A snippet's text, with its marks as elements. It is read as text and never as HTML. */
function piecesOf(snippet: string) {
  return snippet.split(/(<mark>.*?<\/mark>)/s).map((piece) => {
    const marked = /^<mark>(.*)<\/mark>$/s.exec(piece)?.[1];
    return marked === undefined ? unescaped(piece) : <mark>{unescaped(marked)}</mark>;
  });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', "#39": "'", amp: "&" };
const unescaped = (text: string) =>
  text.replace(/&(lt|gt|quot|#39|amp);/g, (_, name: string) => ENTITIES[name]!);

function Line({ one }: { readonly one: Conversation }) {
  const { say } = words;
  const name = nameOf(one);
  return (
    <Row current={openKey.value === one.customer_key} onClick={() => void open(one.customer_key)}>
      <Avatar name={name} />
      <span class="desk-line">
        <span class="desk-line-head">
          <bdi class="desk-name">{name}</bdi>
          <time dateTime={one.last_at}>{timeOf(one.last_at)}</time>
        </span>
        <span class="desk-line-text" dir="auto">
          {lastOf(one)}
        </span>
        <span class="desk-line-foot">
          <span>{one.channel}</span>
          <span>{holderOf(one)}</span>
          {one.overdue_at && <strong class="desk-overdue">{say("overdue")}</strong>}
        </span>
      </span>
      {one.unread > 0 && (
        <span class="k-badge">
          <span aria-hidden="true">{one.unread}</span>
          <span class="k-aside">{say("unread", { count: one.unread })}</span>
        </span>
      )}
    </Row>
  );
}

/** The newest message, or its kind if it has no words. */
function lastOf({ last }: Conversation): string {
  if (!last) return "";
  // What has no words is stored as its kind.
  if (last.text !== "" && last.text !== `[${last.kind}]`) return last.text;
  const kind = last.kind as Parameters<typeof contentWords.say>[0];
  return ["image", "video", "voice", "audio", "document", "sticker", "location", "contact"].includes(kind)
    ? contentWords.say(kind)
    : "";
}

export const nameOf = ({ name, contact }: Pick<Conversation, "name" | "contact">) =>
  name ?? contact ?? words.say("unnamed");

/** Who has a conversation, in words. */
export function holderOf({ holder, user }: Conversation): string {
  if (holder === "bot") return words.say("holderBot");
  if (holder === "waiting") return words.say("holderWaiting");
  return user?.user_id === me.value?.user_id
    ? words.say("holderMe")
    : words.say("holderPerson", { name: user?.name ?? "" });
}

/** The time of today, else the day. */
export function timeOf(at: string): string {
  const then = new Date(at);
  const isToday = then.toDateString() === new Date().toDateString();
  return isToday
    ? then.toLocaleTimeString(words.language, { hour: "2-digit", minute: "2-digit" })
    : then.toLocaleDateString(words.language, { day: "numeric", month: "short" });
}
