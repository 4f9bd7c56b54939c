import { useSignal } from "@preact/signals";
import { Star } from "lucide";
import { useId } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

const MOST = 5;

/** The end of a conversation: a rating, and a new one. */
export function Over({ visit }: { readonly visit: Visit }) {
  const rating = useSignal(0);
  const feedback = useSignal("");
  const state = useSignal<"asked" | "busy" | "rated" | "failed">("asked");
  const name = useId();
  const rate = async (event: Event) => {
    event.preventDefault();
    state.value = "busy";
    try {
      await visit.hub.session.rate({
        rating: rating.value,
        ...(feedback.value && { feedback: feedback.value }),
      });
      state.value = "rated";
    } catch {
      state.value = "failed";
    }
  };
  return (
    <div class="over">
      <p role="status">{state.value === "rated" ? texts.say("rated") : texts.say("ended")}</p>
      {state.value !== "rated" && (
        <form class="over-form" onSubmit={rate}>
          <fieldset class="stars">
            <legend>{texts.say("rate")}</legend>
            {Array.from({ length: MOST }, (_, i) => i + 1).map((count) => (
              <label key={count} data-lit={count <= rating.value ? "" : undefined}>
                <input
                  type="radio"
                  name={name}
                  checked={rating.value === count}
                  onChange={() => (rating.value = count)}
                />
                <Icon of={Star} />
                <span class="k-aside">{texts.say("stars", { count })}</span>
              </label>
            ))}
          </fieldset>
          {rating.value > 0 && (
            <>
              <Field label={texts.say("feedback")}>
                {(input) => (
                  <input
                    {...input}
                    maxLength={2_000}
                    value={feedback.value}
                    onInput={({ currentTarget }) => (feedback.value = currentTarget.value)}
                  />
                )}
              </Field>
              {state.value === "failed" && <p role="alert">{texts.say("continue_failed")}</p>}
              <Button type="submit" disabled={state.value === "busy"}>
                {texts.say("rate_send")}
              </Button>
            </>
          )}
        </form>
      )}
      <Button look="quiet" onClick={visit.startNew}>
        {texts.say("start_new")}
      </Button>
    </div>
  );
}
