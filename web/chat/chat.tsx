import { type Signal, useSignal } from "@preact/signals";
import type { Message } from "@session-hub/client";
import { CircleX, Smartphone, Volume2, VolumeX, X } from "lucide";
import { useMemo } from "preact/hooks";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Composer } from "../kit/components/composer.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { Log } from "../kit/components/log.tsx";
import { Typing } from "../kit/components/typing.tsx";
import type { Choice } from "../kit/content/message-content.tsx";
import { Thread } from "../kit/content/thread.tsx";
import type { Waiting } from "../kit/conversation.ts";
import type { Recording } from "../kit/record-voice.ts";
import { Attach, Recorder, reasonOf } from "./attach.tsx";
import { Continue } from "./continue.tsx";
import { EndQuestion } from "./end-question.tsx";
import { Form } from "./form.tsx";
import type { Host } from "./options.ts";
import { Over } from "./over.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

export type View = "thread" | "continue" | "end";

export interface ChatState {
  readonly host: Host;
  readonly visit: Visit;
  readonly isOpen: Signal<boolean>;
  readonly isOnline: Signal<boolean>;
  readonly view: Signal<View>;
  readonly hasSound: Signal<boolean>;
  /** Whether the hub takes files. */
  readonly takesFiles: Signal<boolean>;
}

/** The longest text that the hub takes. */
const LONGEST = 32_768;

/** The window. It is no modal dialog: the page stays usable, and the focus may leave it. */
export function Chat(state: ChatState) {
  const { host, visit, isOpen, view } = state;
  const title = host.options.title ?? texts.say("title");
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    if (view.value !== "thread") view.value = "thread";
    else host.setOpen(false);
  };
  const isBegun = visit.line.value !== "none" || visit.waiting().length > 0;
  return (
    <section class="window" role="dialog" aria-label={title} hidden={!isOpen.value} onKeyDown={onKeyDown}>
      <Head {...state} title={title} />
      <p class="line" role="status">
        {lineText(state)}
      </p>
      {view.value === "continue" ? (
        <Continue visit={visit} onBack={() => (view.value = "thread")} />
      ) : view.value === "end" ? (
        <EndQuestion visit={visit} onBack={() => (view.value = "thread")} />
      ) : host.options.form.length > 0 && !isBegun && !visit.over.value ? (
        <Form visit={visit} fields={host.options.form} />
      ) : (
        <Conversation {...state} />
      )}
    </section>
  );
}

function Head({ host, visit, view, hasSound, title }: ChatState & { readonly title: string }) {
  const isRunning = visit.line.value !== "none";
  return (
    <header class="head">
      <h2>{title}</h2>
      {!visit.over.value && !visit.refused.value && (
        <IconButton label={texts.say("continue_on")} onClick={() => (view.value = "continue")}>
          <Icon of={Smartphone} />
        </IconButton>
      )}
      <IconButton
        label={texts.say(hasSound.value ? "sound_off" : "sound_on")}
        onClick={() => (hasSound.value = !hasSound.value)}
      >
        <Icon of={hasSound.value ? Volume2 : VolumeX} />
      </IconButton>
      {isRunning && (
        <IconButton label={texts.say("end")} onClick={() => (view.value = "end")}>
          <Icon of={CircleX} />
        </IconButton>
      )}
      <IconButton label={texts.say("close")} onClick={() => host.setOpen(false)}>
        <Icon of={X} />
      </IconButton>
    </header>
  );
}

function Conversation({ host, visit, takesFiles }: ChatState) {
  const draft = useSignal("");
  const recording = useSignal<Recording | undefined>(undefined);
  const problem = useSignal("");
  const drafts = visit.drafts.value;
  const messages = visit.messages.value;
  const waiting = visit.waiting();
  const { greeting = texts.say("greeting"), replies } = host.options;
  const isNew = messages.length === 0 && waiting.length === 0;
  const code = visit.over.value;
  // They stay the same, so that a new message does not draw the others again.
  const calls = useMemo(
    () => ({
      names: { own: texts.say("you"), shop: host.options.title ?? texts.say("shop") },
      readFile: ({ message_id }: Message, card?: number) =>
        visit.hub.file({ message_id }, card ? { card } : {}),
      onFailed: ({ external_id, file, failed }: Waiting) =>
        file && (
          <span class="refused">
            {reasonOf(failed!)}
            <Button look="quiet" onClick={() => visit.files.remove(external_id)}>
              {texts.say("remove")}
            </Button>
          </span>
        ),
      onChoose: ({ interaction, id, title }: Choice, { message_id }: Message) =>
        visit.send({ kind: "interaction", interaction, id, title }, message_id),
      onReact: (emoji: string | null, { message_id }: Message) =>
        visit.send({ kind: "reaction", emoji }, message_id),
    }),
    [],
  );
  return (
    <>
      <Log
        label={texts.say("messages")}
        isLive={visit.line.value === "ready"}
        version={`${messages.length} ${messages.at(-1)?.message_id} ${waiting.length} ${visit.isTyping.value} ${[...drafts.values()].map(({ text }) => text.length)}`}
      >
        <div>
          {visit.hasEarlier.value && (
            <Button look="quiet" onClick={() => void visit.showEarlier().catch(() => {})}>
              {texts.say("earlier")}
            </Button>
          )}
        </div>
        {!visit.refused.value && isNew && visit.line.value !== "connecting" && (
          <p class="k-bubble" data-side="other">
            {greeting}
          </p>
        )}
        <Thread
          messages={messages}
          waiting={waiting}
          drafts={drafts}
          hubUrl={host.options.url}
          {...calls}
          {...(code && { onChoose: undefined, onReact: undefined })}
        />
        {visit.isTyping.value && <Typing label={texts.say("typing")} />}
      </Log>
      {isNew && replies.length > 0 && !visit.refused.value && (
        <div class="replies">
          {replies.map((reply) => (
            <Button key={reply} look="quiet" onClick={() => visit.send(reply)}>
              {reply}
            </Button>
          ))}
        </div>
      )}
      {code === "crowded" ? (
        <div class="over">
          <p role="status">{texts.say("crowded")}</p>
          <Button onClick={visit.useHere}>{texts.say("use_here")}</Button>
        </div>
      ) : code ? (
        <Over visit={visit} />
      ) : recording.value ? (
        <Recorder visit={visit} recording={recording} />
      ) : (
        <Composer
          label={texts.say("message")}
          sendLabel={texts.say("send")}
          value={draft.value}
          maxLength={LONGEST}
          disabled={visit.refused.value !== undefined}
          onInput={(text) => (draft.value = text)}
          onSend={(text) => {
            draft.value = "";
            visit.send(text);
          }}
        >
          {takesFiles.value && !visit.refused.value && (
            <Attach visit={visit} recording={recording} problem={problem} />
          )}
        </Composer>
      )}
      {problem.value && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

/** What is wrong with the line, in words; empty while all is well. A window must not look open when it is not. */
function lineText({ visit, isOnline }: ChatState): string {
  if (visit.refused.value) return texts.say("refused");
  if (visit.over.value) return "";
  if (!isOnline.value) return texts.say("offline");
  if (visit.line.value === "lost") return texts.say("lost");
  if (visit.line.value === "connecting" && visit.messages.value.length === 0) return texts.say("connecting");
  if (visit.waiting().some(({ failed, file }) => failed && !file)) return texts.say("failed");
  return "";
}
