import { useSignal } from "@preact/signals";
import { Button } from "../kit/components/button.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

/** Asks before the conversation ends, because it ends on every channel. */
export function EndQuestion({ visit, onBack }: { readonly visit: Visit; readonly onBack: () => void }) {
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const end = async () => {
    isBusy.value = true;
    try {
      await visit.hub.session.end();
      onBack();
    } catch {
      problem.value = texts.say("continue_failed");
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <div class="panel">
      <h3>{texts.say("end")}</h3>
      <p>{texts.say("end_question")}</p>
      {problem.value && <p role="alert">{problem}</p>}
      <div class="k-actions">
        <Button look="quiet" onClick={onBack}>
          {texts.say("cancel")}
        </Button>
        <Button look="danger" disabled={isBusy.value} onClick={end}>
          {texts.say("end_now")}
        </Button>
      </div>
    </div>
  );
}
