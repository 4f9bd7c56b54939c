import type { ComponentChildren } from "preact";
import { Button } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import type { Reply } from "./api.ts";
import { isMarked, reply } from "./sending.ts";
import { draft } from "./state.ts";
import { words } from "./words.ts";

export interface KindDialogProps {
  readonly kind: "location" | "contact" | "buttons" | "list";
  readonly onClose: () => void;
}

/** Asks for the fields of a reply that is no text and no file, and sends it. */
export function KindDialog({ kind, onClose }: KindDialogProps) {
  if (kind === "location") return <Place onClose={onClose} />;
  if (kind === "contact") return <Contact onClose={onClose} />;
  return <Choices kind={kind} onClose={onClose} />;
}

interface FormProps {
  readonly title: string;
  readonly onClose: () => void;
  /** What is to be sent; undefined while a field is wrong. */
  readonly replyOf: (fields: FormData) => Reply | undefined;
  readonly children: ComponentChildren;
}

/** A dialog with fields, which sends one reply. It stays open if that fails. */
function KindForm({ title, onClose, replyOf, children }: FormProps) {
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const one = replyOf(new FormData(event.currentTarget as HTMLFormElement));
    if (one && (await reply([one]))) onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form class="desk-form" onSubmit={(event) => void submit(event)}>
        {children}
        <div class="k-actions">
          <Button look="quiet" onClick={onClose}>
            {words.say("cancel")}
          </Button>
          <Button type="submit">{words.say("send")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

const text = (fields: FormData, name: string) => String(fields.get(name) ?? "").trim();
/** The field, unless it is empty. */
const given = (fields: FormData, name: string) => {
  const value = text(fields, name);
  return value === "" ? {} : { [name]: value };
};

function Place({ onClose }: { readonly onClose: () => void }) {
  const { say } = words;
  return (
    <KindForm
      title={say("location")}
      onClose={onClose}
      replyOf={(fields) => ({
        kind: "location",
        latitude: Number(fields.get("latitude")),
        longitude: Number(fields.get("longitude")),
        ...given(fields, "name"),
        ...given(fields, "address"),
      })}
    >
      <Field label={say("placeName")}>{(input) => <input {...input} name="name" maxLength={256} />}</Field>
      <Field label={say("address")}>{(input) => <input {...input} name="address" maxLength={256} />}</Field>
      {(["latitude", "longitude"] as const).map((name, i) => (
        <Field key={name} label={say(name)}>
          {(input) => (
            <input
              {...input}
              name={name}
              type="number"
              step="any"
              required
              min={i === 0 ? -90 : -180}
              max={i === 0 ? 90 : 180}
            />
          )}
        </Field>
      ))}
    </KindForm>
  );
}

function Contact({ onClose }: { readonly onClose: () => void }) {
  const { say } = words;
  return (
    <KindForm
      title={say("contact")}
      onClose={onClose}
      replyOf={(fields) => ({
        kind: "contact",
        contacts: [{ name: text(fields, "name"), phones: [text(fields, "phone")] }],
      })}
    >
      <Field label={say("name")}>
        {(input) => <input {...input} name="name" required maxLength={128} />}
      </Field>
      <Field label={say("phone")}>
        {(input) => <input {...input} name="phone" type="tel" required maxLength={32} />}
      </Field>
    </KindForm>
  );
}

/** A text with choices: one in each line. */
function Choices({ kind, onClose }: { readonly kind: "buttons" | "list"; readonly onClose: () => void }) {
  const { say } = words;
  const replyOf = (fields: FormData): Reply => {
    const titles = text(fields, "choices")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const common = { text: text(fields, "text"), ...(isMarked.value && { format: "markdown" }) };
    if (kind === "buttons")
      return { kind, ...common, buttons: titles.map((title, i) => ({ id: `choice-${i + 1}`, title })) };
    const rows = titles.map((line, i) => {
      const [title = "", ...rest] = line.split(" | ");
      const description = rest.join(" | ");
      return { id: `choice-${i + 1}`, title, ...(description !== "" && { description }) };
    });
    return { kind, ...common, ...given(fields, "button"), sections: [{ rows }] };
  };
  return (
    <KindForm title={say(kind)} onClose={onClose} replyOf={replyOf}>
      <Field label={say("question")}>
        {(input) => <textarea {...input} name="text" rows={2} required defaultValue={draft.value} />}
      </Field>
      <Field label={say("choices")} hint={say(kind === "list" ? "rowsHint" : "buttonsHint")}>
        {(input) => <textarea {...input} name="choices" rows={4} required />}
      </Field>
      {kind === "list" && (
        <Field label={say("listButton")}>
          {(input) => <input {...input} name="button" maxLength={80} />}
        </Field>
      )}
    </KindForm>
  );
}
