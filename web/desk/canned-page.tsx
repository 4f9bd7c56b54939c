import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import { type Canned, call, Refused } from "./api.ts";
import { canned, report } from "./state.ts";
import { words } from "./words.ts";

async function load(): Promise<void> {
  canned.value = (await call<{ canned_replies: Canned[] }>("/api/canned-replies")).canned_replies;
}

/** The replies that are sent again and again: make, change and delete. */
export function CannedPage() {
  const { say } = words;
  const edits = useSignal<Canned | "new" | undefined>(undefined);
  const deletes = useSignal<Canned | undefined>(undefined);
  useEffect(() => void load().catch(report), []);
  const remove = async ({ shortcut }: Canned) => {
    deletes.value = undefined;
    await call(`/api/canned-replies/${shortcut}`, { method: "DELETE" }).catch(report);
    await load().catch(report);
  };
  return (
    <main class="desk-page">
      <div class="desk-pair">
        <h2>{say("canned")}</h2>
        <Button onClick={() => (edits.value = "new")}>{say("newCanned")}</Button>
      </div>
      {canned.value.length === 0 && <p class="desk-empty">{say("noCanned")}</p>}
      <ul class="desk-table" aria-label={say("canned")}>
        {canned.value.map((one) => (
          <li key={one.shortcut}>
            <span class="desk-grows">
              <strong>{one.title}</strong> <code>/{one.shortcut}</code>
              <br />
              <span dir="auto">{one.replies.map(({ text, kind }) => text ?? kind).join(" · ")}</span>
            </span>
            <Button look="quiet" onClick={() => (edits.value = one)}>
              {say("edit")}
            </Button>
            <Button look="danger" onClick={() => (deletes.value = one)}>
              {say("remove")}
            </Button>
          </li>
        ))}
      </ul>
      {edits.value && (
        <Editor
          one={edits.value === "new" ? undefined : edits.value}
          onClose={() => (edits.value = undefined)}
        />
      )}
      {deletes.value && (
        <Dialog
          title={say("removeAskCanned", { name: deletes.value.title })}
          onClose={() => (deletes.value = undefined)}
        >
          <div class="k-actions">
            <Button look="quiet" onClick={() => (deletes.value = undefined)}>
              {say("cancel")}
            </Button>
            <Button look="danger" onClick={() => void remove(deletes.value!)}>
              {say("remove")}
            </Button>
          </div>
        </Dialog>
      )}
    </main>
  );
}

function Editor({ one, onClose }: { readonly one: Canned | undefined; readonly onClose: () => void }) {
  const { say } = words;
  const error = useSignal<string | undefined>(undefined);
  const [first, ...rest] = one?.replies ?? [];
  const isText = first === undefined || first.kind === "text";
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string) => String(fields.get(name) ?? "").trim();
    const text = { ...first, kind: "text", text: field("text") };
    const body = { title: field("title"), replies: isText ? [text, ...rest] : one!.replies };
    try {
      const path = `/api/canned-replies/${one?.shortcut ?? field("shortcut")}`;
      await call(path, { method: "PUT", body, version: one?.version ?? 0 });
    } catch (thrown) {
      const code = thrown instanceof Refused ? thrown.code : "";
      if (code === "version_conflict") error.value = say(one ? "changedMeanwhile" : "shortcutExists");
      else report(thrown);
      return;
    }
    onClose();
    await load().catch(report);
  };
  return (
    <Dialog title={one ? one.title : say("newCanned")} onClose={onClose}>
      <form class="desk-form" onSubmit={(event) => void submit(event)}>
        <Field label={say("shortcut")} hint={say("shortcutHint")} error={error.value}>
          {(input) => (
            <input
              {...input}
              name="shortcut"
              required
              disabled={one !== undefined}
              defaultValue={one?.shortcut}
              pattern="[a-z0-9][a-z0-9_\-]{0,39}"
              autocomplete="off"
            />
          )}
        </Field>
        <Field label={say("titleOf")}>
          {(input) => <input {...input} name="title" required maxLength={100} defaultValue={one?.title} />}
        </Field>
        {isText && (
          <Field label={say("text")} hint={say("textHint")}>
            {(input) => <textarea {...input} name="text" rows={4} required defaultValue={first?.text} />}
          </Field>
        )}
        <div class="k-actions">
          <Button look="quiet" onClick={onClose}>
            {say("cancel")}
          </Button>
          <Button type="submit">{say("save")}</Button>
        </div>
      </form>
    </Dialog>
  );
}
