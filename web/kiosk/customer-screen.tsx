import { useSignal } from "@preact/signals";
import type { Message } from "@session-hub/client";
import { useMemo } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Composer } from "../kit/components/composer.tsx";
import { Log } from "../kit/components/log.tsx";
import { Typing } from "../kit/components/typing.tsx";
import type { Choice } from "../kit/content/message-content.tsx";
import { Thread } from "../kit/content/thread.tsx";
import { Cart } from "./cart.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

const LONGEST = 32_768;

/** The customer's cart and conversation. */
export function CustomerScreen({ visit }: { readonly visit: Visit }) {
  const draft = useSignal("");
  const { messages, waiting, drafts, hasEarlier, showEarlier, isTyping, line, send } = visit.conversation;
  const { language } = texts;
  // They stay the same, so that a new message does not draw the others again.
  const calls = useMemo(
    () => ({
      names: { own: texts.say("you"), shop: texts.say("shop") },
      readFile: visit.readFile,
      fileUrl: () => undefined,
      onChoose: ({ interaction, id, title }: Choice, { message_id }: Message) =>
        send({ kind: "interaction", interaction, id, title }, { replyTo: message_id }),
    }),
    [language],
  );
  return (
    <div class="customer">
      <h1 class="k-aside">{texts.say("title")}</h1>
      <Cart cart={visit.cart.value} />
      <section class="talk" aria-label={texts.say("messages")}>
        <Log
          label={texts.say("messages")}
          isLive={line.value === "ready"}
          version={`${messages.value.length} ${waiting.value.length} ${isTyping.value} ${[...drafts.value.values()].map(({ text }) => text.length)}`}
        >
          {hasEarlier.value && (
            <Button look="quiet" onClick={() => void showEarlier().catch(() => {})}>
              {texts.say("earlier")}
            </Button>
          )}
          {messages.value.length + waiting.value.length === 0 && (
            <p class="k-bubble" data-side="other">
              {texts.say("greeting")}
            </p>
          )}
          <Thread
            messages={messages.value}
            waiting={waiting.value}
            drafts={drafts.value}
            links={false}
            {...calls}
          />
          {isTyping.value && <Typing label={texts.say("typing")} />}
        </Log>
        <Composer
          label={texts.say("message")}
          sendLabel={texts.say("send")}
          value={draft.value}
          maxLength={LONGEST}
          onInput={(text) => (draft.value = text)}
          onSend={(text) => {
            draft.value = "";
            send(text);
          }}
        />
      </section>
    </div>
  );
}
