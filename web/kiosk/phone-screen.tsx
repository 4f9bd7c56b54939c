import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { Field } from "../kit/components/field.tsx";
import type { KioskConfig } from "./config.ts";
import { Pad } from "./pad.tsx";
import { loadPhones, phones } from "./phones.ts";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

const LONGEST = 15;

/** The login screen: the phone, by the country's pad. */
export function PhoneScreen({ visit, config }: { readonly visit: Visit; readonly config: KioskConfig }) {
  const digits = useSignal("");
  const country = useSignal(config.country);
  const wrong = useSignal("");
  const put = (text: string) => {
    wrong.value = "";
    digits.value = text.replace(/\D/g, "").slice(0, LONGEST);
  };
  const rules = phones.value;
  const { language } = texts;
  const countries = useMemo(
    () => rules?.countriesIn(language) ?? [{ code: config.country, prefix: "", name: config.country }],
    [rules, language],
  );
  const goOn = async (event: Event) => {
    event.preventDefault();
    const known = await loadPhones().catch(() => undefined);
    if (!known) {
      visit.problem.value = texts.say("no_answer");
      return;
    }
    const phone = known.phoneIn(digits.value, country.value);
    if (!phone) {
      wrong.value = texts.say("wrong_phone");
      return;
    }
    visit.phone.value = phone;
    void visit.claim();
  };
  return (
    <form class="card" onSubmit={goOn} noValidate>
      <h1>{texts.say("title")}</h1>
      <Field label={texts.say("country")}>
        {(input) => (
          <select
            {...input}
            value={country.value}
            onChange={({ currentTarget }) => (country.value = currentTarget.value)}
          >
            {countries.map(({ code, prefix, name }) => (
              <option key={code} value={code}>{`${name} \u2066${prefix}\u2069`}</option>
            ))}
          </select>
        )}
      </Field>
      <Field label={texts.say("enter_phone")} error={wrong.value}>
        {(input) => (
          <input
            {...input}
            class="k-input phone"
            dir="ltr"
            inputMode="none"
            autoComplete="off"
            value={rules?.shownPhone(digits.value, country.value) ?? digits.value}
            onInput={({ currentTarget }) => put(currentTarget.value)}
          />
        )}
      </Field>
      <Pad onDigit={(digit) => put(digits.value + digit)} onDelete={() => put(digits.value.slice(0, -1))} />
      <Button type="submit" disabled={visit.isBusy.value}>
        {texts.say("go_on")}
      </Button>
      <div class="others">
        <Button look="quiet" disabled={visit.isBusy.value} onClick={visit.scan}>
          {texts.say("scan_instead")}
        </Button>
        <Button look="bare" disabled={visit.isBusy.value} onClick={visit.anonymous}>
          {texts.say("without_phone")}
        </Button>
      </div>
    </form>
  );
}
