import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { type Conversation, call, type DeadLetter } from "./api.ts";
import { timeOf } from "./conversation-list.tsx";
import { open, place, report } from "./state.ts";
import { words } from "./words.ts";

interface Page {
  readonly dead_letters: readonly DeadLetter[];
  readonly cursor: string | null;
  readonly more: boolean;
}

/** Everything that could not be answered or sent, with a button to try it again. */
export function DeadLettersPage() {
  const { say } = words;
  const letters = useSignal<readonly DeadLetter[] | undefined>(undefined);
  const after = useSignal<string | undefined>(undefined);
  const load = async () => {
    const params = new URLSearchParams({ limit: "50", ...(after.value && { after: after.value }) });
    const page = await call<Page>(`/api/dead-letters?${params}`);
    letters.value = [...(letters.value ?? []), ...page.dead_letters];
    after.value = page.more ? page.cursor! : undefined;
  };
  useEffect(() => void load().catch(report), []);
  const retry = async ({ id }: DeadLetter) => {
    try {
      await call(`/api/dead-letters/${id}/retry`, { body: {} });
      letters.value = letters.value?.filter((one) => one.id !== id);
    } catch (error) {
      report(error);
    }
  };
  const show = async ({ session_id }: DeadLetter) => {
    try {
      const { conversation } = await call<{ conversation: Conversation }>(`/api/conversations/${session_id}`);
      place.value = "list";
      await open(conversation.customer_key);
    } catch (error) {
      report(error);
    }
  };
  return (
    <main class="desk-page">
      <h2>{say("deadLetters")}</h2>
      {letters.value?.length === 0 && <p class="desk-empty">{say("noDeadLetters")}</p>}
      <ul class="desk-table" aria-label={say("deadLetters")}>
        {letters.value?.map((one) => (
          <li key={one.id}>
            <span class="desk-grows">
              <strong>{say(one.type === "turn" ? "notAnswered" : "notDelivered")}</strong> · {one.channel} ·{" "}
              <time dateTime={one.created_at}>{timeOf(one.created_at)}</time>
              <br />
              <code>{one.reason}</code>
            </span>
            <Button look="quiet" onClick={() => void show(one)}>
              {say("open")}
            </Button>
            <Button onClick={() => void retry(one)}>{say("retry")}</Button>
          </li>
        ))}
      </ul>
      {after.value && (
        <Button look="quiet" onClick={() => void load().catch(report)}>
          {say("furtherOnes")}
        </Button>
      )}
    </main>
  );
}
