import { ArrowLeft, UserRound } from "lucide";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { Log } from "../kit/components/log.tsx";
import { Typing } from "../kit/components/typing.tsx";
import { isChange, reactionsIn } from "../kit/content/reactions.ts";
import { holderOf, nameOf } from "./conversation-list.tsx";
import { MessageLine } from "./message-line.tsx";
import {
  act,
  beside,
  hasEarlier,
  isNarrow,
  loadEarlier,
  me,
  open,
  openKey,
  others,
  report,
  showsCustomer,
  thread,
  users,
} from "./state.ts";
import { words } from "./words.ts";
import { Writing } from "./writing.tsx";

const HOUR_MS = 3_600_000;

/** The open conversation: who has it, its messages, and what is written. */
export function ConversationPane() {
  const { say } = words;
  if (openKey.value === undefined)
    return (
      <main class="desk-thread">
        <p class="desk-empty">{say("choose")}</p>
      </main>
    );
  const reactions = reactionsIn(thread.value);
  return (
    <main class="desk-thread">
      <Head />
      <Log key={openKey.value} label={say("messages")} isLive version={thread.value}>
        {hasEarlier.value && (
          <Button look="quiet" onClick={() => void loadEarlier().catch(report)}>
            {say("earlier")}
          </Button>
        )}
        {thread.value
          .filter(({ kind }) => !isChange(kind))
          .map((message) => (
            <MessageLine
              key={message.message_id}
              message={message}
              reactions={reactions.get(message.message_id)}
            />
          ))}
      </Log>
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
          {users.value
            .filter(({ disabled }) => !disabled)
            .map(({ user_id, name }) => (
              <option key={user_id} value={user_id}>
                {name}
              </option>
            ))}
        </select>
        {isNarrow.value && (
          <IconButton label={say("customer")} onClick={() => (showsCustomer.value = true)}>
            <Icon of={UserRound} />
          </IconButton>
        )}
      </div>
    </div>
  );
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
