import { ArrowLeft } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Bubble, type Ticks } from "../kit/components/bubble.tsx";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Composer } from "../kit/components/composer.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { Marked } from "../kit/components/marked.tsx";
import { Typing } from "../kit/components/typing.tsx";
import type { Message } from "./api.ts";
import { holderOf, nameOf } from "./conversation-list.tsx";
import {
  act,
  beside,
  canned,
  draft,
  hasEarlier,
  loadEarlier,
  me,
  mode,
  open,
  openKey,
  others,
  reply,
  report,
  send,
  thread,
  type,
  users,
} from "./state.ts";
import { words } from "./words.ts";

const TICKS: Readonly<Record<NonNullable<Message["status"]>, [Ticks, Parameters<typeof words.say>[0]]>> = {
  pending: ["waiting", "statusWaiting"],
  sent: ["sent", "statusSent"],
  delivered: ["delivered", "statusDelivered"],
  read: ["read", "statusRead"],
  played: ["read", "statusRead"],
  failed: ["failed", "statusFailed"],
};
/** So near to its end a thread follows what is new. */
const NEAR_PX = 80;
const HOUR_MS = 3_600_000;

/** The open conversation: who has it, its messages, and what is written. */
export function ConversationPane() {
  const { say } = words;
  const log = useRef<HTMLDivElement>(null);
  const stays = useRef(true);
  useEffect(() => {
    stays.current = true;
  }, [openKey.value]);
  useLayoutEffect(() => {
    if (stays.current && log.current) log.current.scrollTop = log.current.scrollHeight;
  }, [thread.value]);
  if (openKey.value === undefined)
    return (
      <main class="desk-thread">
        <p class="desk-empty">{say("choose")}</p>
      </main>
    );
  return (
    <main class="desk-thread">
      <Head />
      <div
        class="k-log"
        role="log"
        tabIndex={0}
        aria-label={say("messages")}
        ref={log}
        onScroll={({ currentTarget: box }) => {
          stays.current = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_PX;
        }}
      >
        {hasEarlier.value && (
          <Button look="quiet" onClick={() => void loadEarlier().catch(report)}>
            {say("earlier")}
          </Button>
        )}
        {thread.value.map((message) => (
          <Line key={message.message_id} message={message} />
        ))}
      </div>
      <Others />
      <Writing />
    </main>
  );
}

function Head() {
  const { say } = words;
  const now = beside.value?.conversation;
  if (!now) return <div class="desk-head" />;
  const isMine = now.user?.user_id === me.value?.user_id;
  const snooze = (until: Date) => void act("snooze", { until: until.toISOString() });
  const choose = (event: { currentTarget: HTMLSelectElement }, run: (value: string) => void) => {
    const { value } = event.currentTarget;
    event.currentTarget.value = "";
    if (value !== "") run(value);
  };
  return (
    <div class="desk-head">
      <span class="desk-back">
        <IconButton label={say("back")} onClick={() => void open(undefined)}>
          <Icon of={ArrowLeft} mirrored />
        </IconButton>
      </span>
      <div class="desk-title">
        <h2>
          <bdi>{nameOf(now)}</bdi>
        </h2>
        <span class="desk-holder" data-holder={now.holder}>
          {holderOf(now)}
          {now.handoff?.reason && now.holder !== "bot" && (
            <>
              {" · "}
              <bdi>{now.handoff.reason}</bdi>
            </>
          )}
        </span>
      </div>
      <div class="desk-buttons">
        {!isMine && (
          <Button onClick={() => void act("take", now.user ? { from: now.user.user_id } : {})}>
            {now.user ? say("takeFrom", { name: now.user.name }) : say("take")}
          </Button>
        )}
        {now.holder !== "bot" && (isMine || now.holder === "waiting") && (
          <>
            <Button look="quiet" onClick={() => void act("give-back")}>
              {say("giveBack")}
            </Button>
            <Button look="quiet" onClick={() => void act("close")}>
              {say("close")}
            </Button>
            <select
              class="k-input"
              aria-label={say("snooze")}
              onChange={(event) =>
                choose(event, (value) => {
                  const until = new Date();
                  if (value === "hour") return snooze(new Date(until.getTime() + HOUR_MS));
                  until.setDate(until.getDate() + 1);
                  until.setHours(9, 0, 0, 0);
                  snooze(until);
                })
              }
            >
              <option value="">{say("snooze")}</option>
              <option value="hour">{say("hour")}</option>
              <option value="tomorrow">{say("tomorrow")}</option>
            </select>
          </>
        )}
        <select
          class="k-input"
          aria-label={say("assign")}
          onChange={(event) =>
            choose(event, (value) => void act("assign", { to: value === "nobody" ? null : value }))
          }
        >
          <option value="">{say("assign")}</option>
          {now.holder !== "bot" && <option value="nobody">{say("nobody")}</option>}
          {users.value.map(({ user_id, name }) => (
            <option key={user_id} value={user_id}>
              {name}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

function Line({ message }: { readonly message: Message }) {
  const { role, text, content, status, created_at, channel, kind } = message;
  const ticks = status && role !== "user" ? TICKS[status] : undefined;
  const side = role === "system" ? "system" : role === "user" ? "other" : "own";
  const shown = text !== "" ? text : kind === "system" ? (content.event ?? kind) : `[${kind}]`;
  return (
    <Bubble
      side={side}
      author={authorOf(message)}
      showsAuthor={side !== "system"}
      at={new Date(created_at)}
      language={words.language}
      ticks={ticks && { status: ticks[0], label: words.say(ticks[1]) }}
      remark={<span>{channel}</span>}
    >
      <Marked text={shown} format={content.format} />
    </Bubble>
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

/** Colleagues who look or answer. */
function Others() {
  return (
    <div class="desk-others" role="status">
      {others.value.map(({ user, typing }) => (
        <span key={user.user_id}>
          {typing && <Typing label="" />}
          {words.say(typing ? "answers" : "looks", { name: user.name })}
        </span>
      ))}
    </div>
  );
}

function Writing() {
  const { say } = words;
  const matches =
    mode.value === "reply" && draft.value.startsWith("/")
      ? canned.value.filter(({ shortcut }) => shortcut.startsWith(draft.value.slice(1))).slice(0, 8)
      : [];
  const pick = ({ replies }: (typeof matches)[number]) => {
    const [only] = replies;
    const name = beside.value?.customer.name ?? "";
    const filled = replies.map((one) =>
      one.text === undefined ? one : { ...one, text: one.text.replaceAll("{name}", name) },
    );
    if (replies.length === 1 && only?.kind === "text") draft.value = filled[0]!.text ?? "";
    else void reply(filled);
  };
  return (
    <div class="desk-writing" data-mode={mode.value}>
      <div class="desk-modes">
        {(["reply", "note"] as const).map((one) => (
          <button
            key={one}
            type="button"
            class="k-button"
            data-look="bare"
            aria-pressed={mode.value === one}
            onClick={() => (mode.value = one)}
          >
            {say(one)}
          </button>
        ))}
      </div>
      {matches.length > 0 && (
        <ul class="desk-canned" aria-label={say("canned")}>
          {matches.map((one) => (
            <li key={one.shortcut}>
              <button type="button" class="k-row" onClick={() => pick(one)}>
                <code>/{one.shortcut}</code> {one.title}
              </button>
            </li>
          ))}
        </ul>
      )}
      <Composer
        label={say(mode.value === "note" ? "writeNote" : "writeReply")}
        sendLabel={say("send")}
        value={draft.value}
        maxLength={10_000}
        onInput={type}
        onSend={(text) => (matches[0] ? pick(matches[0]) : void send(text))}
      />
    </div>
  );
}
