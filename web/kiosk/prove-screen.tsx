import { useSignal } from "@preact/signals";
import type { Links } from "@session-hub/client";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import { Pad } from "./pad.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

type Way = "by_code" | "by_password" | "by_scan";
const NAMES: Record<string, string> = { telegram: "Telegram", whatsapp: "WhatsApp" };
const CODE_LENGTH = 6;

/** The proof that a phone is the customer's: by a code, a password or a scan. */
export function ProveScreen({ visit }: { readonly visit: Visit }) {
  const hasPhone = visit.phone.value !== "";
  const way = useSignal<Way>(hasPhone ? "by_code" : "by_scan");
  const ways: readonly Way[] = hasPhone ? ["by_code", "by_password", "by_scan"] : ["by_scan"];
  return (
    <div class="card">
      <h1>{texts.say("prove")}</h1>
      {hasPhone && (
        <>
          <p>{texts.say("prove_how")}</p>
          <div class="ways">
            {ways.map((one) => (
              <Button
                key={one}
                look={one === way.value ? "main" : "quiet"}
                aria-pressed={one === way.value}
                onClick={() => {
                  visit.problem.value = "";
                  way.value = one;
                }}
              >
                {texts.say(one)}
              </Button>
            ))}
          </div>
        </>
      )}
      {way.value === "by_code" ? (
        <Code visit={visit} />
      ) : way.value === "by_password" ? (
        <Password visit={visit} />
      ) : (
        <Scan visit={visit} />
      )}
      <Button look="bare" onClick={() => void visit.leave()}>
        {texts.say("back")}
      </Button>
    </div>
  );
}

function Code({ visit }: { readonly visit: Visit }) {
  const code = useSignal("");
  const isSent = useSignal(false);
  const request = async () => {
    await visit.requestCode();
    isSent.value = visit.problem.value === "";
  };
  useEffect(() => void request(), []);
  const put = (text: string) => {
    code.value = text.replace(/\D/g, "").slice(0, CODE_LENGTH);
    if (code.value.length === CODE_LENGTH) void visit.confirm(code.value).then(() => (code.value = ""));
  };
  return (
    <div class="step">
      {isSent.value && <p>{texts.say("code_sent")}</p>}
      <Field label={texts.say("code")}>
        {(input) => (
          <input
            {...input}
            class="k-input phone"
            dir="ltr"
            inputMode="none"
            autoComplete="off"
            value={code.value}
            disabled={visit.isBusy.value}
            onInput={({ currentTarget }) => put(currentTarget.value)}
          />
        )}
      </Field>
      <Pad onDigit={(digit) => put(code.value + digit)} onDelete={() => put(code.value.slice(0, -1))} />
      <Button look="quiet" disabled={visit.isBusy.value} onClick={request}>
        {texts.say("send_again")}
      </Button>
    </div>
  );
}

function Password({ visit }: { readonly visit: Visit }) {
  const password = useSignal("");
  const logIn = (event: Event) => {
    event.preventDefault();
    if (password.value) void visit.logIn(password.value).then(() => (password.value = ""));
  };
  return (
    <form class="step" onSubmit={logIn}>
      <Field label={texts.say("password")}>
        {(input) => (
          <input
            {...input}
            type="password"
            autoComplete="off"
            value={password.value}
            onInput={({ currentTarget }) => (password.value = currentTarget.value)}
          />
        )}
      </Field>
      <Button type="submit" disabled={visit.isBusy.value}>
        {texts.say("log_in")}
      </Button>
    </form>
  );
}

function Scan({ visit }: { readonly visit: Visit }) {
  const links = useSignal<Links | undefined>(undefined);
  const load = async () => {
    links.value = await visit.link();
  };
  useEffect(() => void load(), []);
  const names = Object.keys(links.value?.links ?? {});
  return (
    <div class="step">
      <p>{links.value && names.length === 0 ? texts.say("scan_none") : texts.say("scan_how")}</p>
      <div class="codes">
        {names.map((name) => (
          <figure key={name}>
            <img
              src={`data:image/svg+xml,${encodeURIComponent(links.value!.qr[name]!)}`}
              alt={texts.say("qr_of", { messenger: NAMES[name] ?? name })}
            />
            <figcaption>{NAMES[name] ?? name}</figcaption>
          </figure>
        ))}
      </div>
      {!links.value && (
        <Button look="quiet" disabled={visit.isBusy.value} onClick={load}>
          {texts.say("try_again")}
        </Button>
      )}
    </div>
  );
}
