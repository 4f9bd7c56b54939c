import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import { call, type Template } from "./api.ts";
import { reply, uploaded } from "./sending.ts";
import { report } from "./state.ts";
import { words } from "./words.ts";

/** Chooses one of the shop's approved templates, fills its variables, and sends it. */
export function TemplateDialog({ onClose }: { readonly onClose: () => void }) {
  const { say } = words;
  const templates = useSignal<readonly Template[] | undefined>(undefined);
  const chosen = useSignal<Template | undefined>(undefined);
  useEffect(() => {
    call<{ templates: Template[] }>("/api/templates?status=APPROVED&limit=100")
      // A part with variables that the hub has no field for needs a program.
      .then(
        (page) => (templates.value = page.templates.filter(({ variables }) => variables.other.length === 0)),
      )
      .catch(report);
  }, []);
  return (
    <Dialog title={say("template")} onClose={onClose}>
      {chosen.value ? (
        <Fill template={chosen.value} onClose={onClose} />
      ) : (
        <>
          {templates.value?.length === 0 && <p>{say("noTemplates")}</p>}
          <ul class="k-list desk-templates">
            {templates.value?.map((one) => (
              <li key={one.template_id}>
                <button type="button" class="k-row" onClick={() => (chosen.value = one)}>
                  <span>
                    <strong>{one.name}</strong> <small>{one.language}</small>
                    <br />
                    <span dir="auto">{textOf(one, "BODY")}</span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
          <div class="k-actions">
            <Button look="quiet" onClick={onClose}>
              {say("cancel")}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

const textOf = ({ components }: Template, part: string) =>
  components.find(({ type }) => type?.toUpperCase() === part)?.text ?? "";

/** A template's variables as fields, and what the customer will read. */
function Fill({ template, onClose }: { readonly template: Template; readonly onClose: () => void }) {
  const { say } = words;
  const values = useSignal<Readonly<Record<string, string>>>({});
  const file = useSignal<File | undefined>(undefined);
  const isSending = useSignal(false);
  const { name, language, variables } = template;
  const filled = (part: "header" | "body") =>
    textOf(template, part.toUpperCase()).replace(
      /\{\{\s*(\w+)\s*\}\}/g,
      (whole, variable: string) => values.value[`${part} ${variable}`] || whole,
    );
  const given = (part: "header" | "body") => {
    const all = variables[part].map((one) => [one, values.value[`${part} ${one}`] ?? ""] as const);
    if (all.length === 0) return {};
    if (variables.named) return { [part]: Object.fromEntries(all) };
    return { [part]: part === "header" ? all[0]![1] : all.map(([, value]) => value) };
  };
  const send = async (event: Event) => {
    event.preventDefault();
    if (isSending.value) return;
    isSending.value = true;
    try {
      const kind = variables.header_media;
      const upload = kind && file.value ? await uploaded(file.value, file.value.name) : undefined;
      if (kind && !upload) return;
      const buttons = variables.buttons.flatMap((carries, at) =>
        carries === "url" || carries === "code"
          ? [{ at, [carries]: values.value[`button ${at}`] ?? "" }]
          : [],
      );
      const sent = await reply([
        {
          kind: "template",
          name,
          language,
          ...given("header"),
          ...given("body"),
          ...(kind && { header_media: { kind, media: { upload: upload!.upload } } }),
          ...(buttons.length > 0 && { buttons }),
        },
      ]);
      if (sent) onClose();
    } finally {
      isSending.value = false;
    }
  };
  const field = (key: string, label: string, most: number) => (
    <Field key={key} label={label}>
      {(input) => (
        <input
          {...input}
          required
          maxLength={most}
          value={values.value[key] ?? ""}
          onInput={(event) => (values.value = { ...values.value, [key]: event.currentTarget.value })}
        />
      )}
    </Field>
  );
  return (
    <form class="desk-form" onSubmit={(event) => void send(event)}>
      <div class="desk-preview" role="note" aria-label={say("preview")} dir="auto">
        {filled("header") !== "" && <strong>{filled("header")}</strong>}
        <p>{filled("body")}</p>
        {textOf(template, "FOOTER") !== "" && <small>{textOf(template, "FOOTER")}</small>}
      </div>
      {variables.header.map((one) => field(`header ${one}`, say("variable", { name: one }), 60))}
      {variables.body.map((one) => field(`body ${one}`, say("variable", { name: one }), 1_024))}
      {variables.buttons.map((carries, at) =>
        carries === "url" || carries === "code"
          ? field(
              `button ${at}`,
              say("buttonVariable", { name: String(at + 1) }),
              carries === "code" ? 15 : 2_048,
            )
          : null,
      )}
      {variables.header_media && (
        <Field label={say("headerFile")}>
          {(input) => (
            <input
              {...input}
              type="file"
              required
              onChange={(event) => (file.value = event.currentTarget.files?.[0])}
            />
          )}
        </Field>
      )}
      <div class="k-actions">
        <Button look="quiet" onClick={onClose}>
          {say("cancel")}
        </Button>
        <Button type="submit" disabled={isSending.value}>
          {say("send")}
        </Button>
      </div>
    </form>
  );
}
