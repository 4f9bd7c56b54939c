import { useSignal } from "@preact/signals";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import type { FormField } from "./options.ts";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

const KINDS = {
  name: { type: "text", autocomplete: "name" },
  email: { type: "email", autocomplete: "email" },
  phone: { type: "tel", autocomplete: "tel" },
} as const;

/** What the shop asks before the first message. The hub keeps it as claims, which prove nothing. */
export function Form({ visit, fields }: { readonly visit: Visit; readonly fields: readonly FormField[] }) {
  const values = useSignal<Partial<Record<FormField, string>>>({});
  const wrong = useSignal<Partial<Record<FormField, string>>>({});
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const begin = async (event: Event) => {
    event.preventDefault();
    const found = Object.fromEntries(fields.flatMap((name) => wrongIn(name, values.value[name])));
    wrong.value = found;
    if (Object.keys(found).length > 0) return;
    isBusy.value = true;
    try {
      await visit.open();
      await visit.hub.session.update({ metadata: values.value });
    } catch {
      problem.value = texts.say("continue_failed");
    } finally {
      isBusy.value = false;
    }
  };
  return (
    <form class="panel" onSubmit={begin} noValidate>
      <h3>{texts.say("form")}</h3>
      {fields.map((name) => (
        <Field key={name} label={texts.say(name)} error={wrong.value[name]}>
          {(input) => (
            <input
              {...input}
              {...KINDS[name]}
              required
              value={values.value[name] ?? ""}
              onInput={({ currentTarget }) =>
                (values.value = { ...values.value, [name]: currentTarget.value.trim() })
              }
            />
          )}
        </Field>
      ))}
      {problem.value && <p role="alert">{problem}</p>}
      <Button type="submit" disabled={isBusy.value}>
        {texts.say("begin")}
      </Button>
    </form>
  );
}

function wrongIn(name: FormField, value = ""): [FormField, string][] {
  if (value === "") return [[name, texts.say("needed")]];
  if (name === "email" && !/^\S+@\S+\.\S+$/.test(value)) return [[name, texts.say("wrong_email")]];
  return [];
}
