/** `/kiosk`: a screen in the shop. docs/kiosk.md. */
import "../kit/page.css";
import "./kiosk.css";
import { signal } from "@preact/signals";
import { render } from "preact";
import { Button } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { words } from "../kit/content/words.ts";
import { dressPage } from "../kit/dress-page.ts";
import { directionOf, LANGUAGES, type Language } from "../kit/i18n/languages.ts";
import { configOf, type KioskConfig, takeSettings, wipe } from "./config.ts";
import { CustomerScreen } from "./customer-screen.tsx";
import { Guarded } from "./guarded.tsx";
import { PhoneScreen } from "./phone-screen.tsx";
import { ProveScreen } from "./prove-screen.tsx";
import { silenceOf } from "./silence.ts";
import { texts } from "./texts/index.ts";
import { type Visit, visitOf } from "./visit.ts";

/** The login screen is there after this long, whatever does not answer. */
const START_MS = 4_000;

const isOnline = signal(navigator.onLine);
for (const name of ["online", "offline"]) addEventListener(name, () => (isOnline.value = navigator.onLine));

takeSettings();
// Side by side: one after the other they could take twice the limit.
const [config] = await Promise.all([
  configOf(START_MS),
  speak(navigator.language),
  Promise.race([wipe().catch(() => {}), late()]),
]);
const visit = visitOf(config);
const isUsed = () => visit.screen.value !== "phone";
const silence = silenceOf(() => void visit.leave());
document.documentElement.dataset.started = "";
const place = document.getElementById("kiosk")!;
place.replaceChildren();
render(
  <Guarded onLeave={() => void visit.leave()}>
    <Kiosk visit={visit} config={config} />
  </Guarded>,
  place,
);
// It is there without a network too: the next start shows the login screen, and says that the line is interrupted.
void navigator.serviceWorker?.register("/kiosk-worker.js", { scope: "/kiosk" }).catch(() => {});

function late(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, START_MS));
}

async function speak(...wanted: string[]): Promise<void> {
  await Promise.race([Promise.all([texts.use(...wanted), words.use(...wanted)]), late()]).catch(() => {});
  dressPage({ language: texts.language, dir: directionOf(texts.language), title: texts.say("title") });
}

function Kiosk({ visit, config }: { readonly visit: Visit; readonly config: KioskConfig }) {
  const isLost = !isOnline.value || visit.conversation.line.value === "lost";
  const left = isUsed() ? silence.left.value : undefined;
  return (
    <>
      <header class="bar">
        <Languages />
        {isUsed() && (
          <Button look="quiet" onClick={() => void visit.leave()}>
            {texts.say("leave")}
          </Button>
        )}
      </header>
      <p class="notice" role="status">
        {isLost && texts.say("offline")}
      </p>
      {visit.problem.value && (
        <div class="notice" data-problem role="alert">
          <span>{visit.problem}</span>
          <Button look="quiet" onClick={() => (visit.problem.value = "")}>
            {texts.say("back")}
          </Button>
        </div>
      )}
      <main>
        {visit.screen.value === "phone" ? (
          <PhoneScreen visit={visit} config={config} />
        ) : visit.screen.value === "prove" ? (
          <ProveScreen visit={visit} />
        ) : (
          <CustomerScreen visit={visit} />
        )}
      </main>
      {left !== undefined && (
        <Dialog title={texts.say("still_there")} onClose={silence.touch}>
          <p class="countdown" role="timer">
            {texts.say("ends_in", { count: left })}
          </p>
          <Button onClick={silence.touch}>{texts.say("stay")}</Button>
        </Dialog>
      )}
    </>
  );
}

function Languages() {
  return (
    <select
      class="k-input"
      aria-label={texts.say("language")}
      value={texts.language}
      onChange={({ currentTarget }) => void speak(currentTarget.value)}
    >
      {LANGUAGES.map((language) => (
        <option key={language} value={language} lang={language}>
          {nameOf(language)}
        </option>
      ))}
    </select>
  );
}

function nameOf(language: Language): string {
  return new Intl.DisplayNames([language], { type: "language" }).of(language) ?? language;
}
