import { signal } from "@preact/signals";
import { Circle, CircleStop, Moon, Play, UserPlus } from "lucide";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { showToast } from "../kit/components/toasts.tsx";
import { LANGUAGES } from "../kit/i18n/languages.ts";
import { act, beginAnew, call, hubNow, playScenario, shown } from "./state.ts";
import { say, words } from "./words.ts";

const asksName = signal(false);
const name = signal("");
const STORY = "story";

/** Who is played, the clock, and what is recorded and played. */
export function TopBar() {
  const now = shown.value;
  const playing = now?.playing && !now.playing.ended ? now.playing : undefined;
  return (
    <header class="s-top">
      <h1>{say("title")}</h1>
      <div class="s-tools">
        {playing ? (
          <Button onClick={() => call("stop", {})}>
            <Icon of={CircleStop} />
            {say("stop")}
          </Button>
        ) : (
          <Button disabled={!now} onClick={() => playScenario(STORY)}>
            <Icon of={Play} mirrored />
            {say("play")}
          </Button>
        )}
        <Scenarios />
        <Recording />
        <Button look="quiet" onClick={beginAnew}>
          <Icon of={UserPlus} />
          {say("newCustomer")}
        </Button>
      </div>
      <p class="s-saying" role="status">
        {saying()}
      </p>
      <div class="s-tools">
        <Clock />
        <WorkerState />
        <label class="s-language">
          <span class="k-aside">{say("language")}</span>
          <select
            class="k-input"
            value={words.language}
            onChange={(event) => words.use(event.currentTarget.value)}
          >
            {LANGUAGES.map((tag) => (
              <option key={tag} value={tag}>
                {new Intl.DisplayNames(tag, { type: "language" }).of(tag)}
              </option>
            ))}
          </select>
        </label>
        <IconButton label={say("theme")} onClick={switchTheme}>
          <Icon of={Moon} />
        </IconButton>
      </div>
      {asksName.value && <AskName />}
    </header>
  );
}

function saying(): string {
  const { playing, person } = shown.value ?? {};
  if (!playing || playing.person !== person?.id) return "";
  if (playing.failure) return say("failed", { why: playing.failure });
  if (playing.ended) return say("played", { name: playing.name });
  const { step, steps } = playing;
  return `${say("stepOf", { step, steps })}. ${playing.saying ?? ""}`;
}

/** The other scenarios of the folder. */
function Scenarios() {
  const others = shown.value?.scenarios.filter((one) => one.name !== STORY) ?? [];
  if (others.length === 0) return null;
  return (
    <label>
      <span class="k-aside">{say("playOther")}</span>
      <select
        class="k-input"
        value=""
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          event.currentTarget.value = "";
          if (chosen) void playScenario(chosen);
        }}
      >
        <option value="">{say("playOther")}</option>
        {others.map(({ name, title }) => (
          <option key={name} value={name}>
            {title}
          </option>
        ))}
      </select>
    </label>
  );
}

function Recording() {
  const recording = shown.value?.recording;
  if (!recording)
    return (
      <Button look="quiet" disabled={!shown.value} onClick={() => (asksName.value = true)}>
        <Icon of={Circle} />
        {say("record")}
      </Button>
    );
  const save = async () => {
    const ended = await call<{ file: string }>("record/end", {});
    if (ended) showToast(say("saved", { file: ended.file }));
  };
  return (
    <Button look="danger" onClick={save}>
      <Icon of={CircleStop} />
      {say("saveRecording", { name: recording.name })} ({recording.steps})
    </Button>
  );
}

function AskName() {
  const begin = async (event: Event) => {
    event.preventDefault();
    const person = shown.value?.person.id;
    if (await call("record", { person, name: name.value, title: name.value })) asksName.value = false;
  };
  return (
    <Dialog title={say("record")} onClose={() => (asksName.value = false)}>
      <form onSubmit={begin}>
        <Field label={say("recordName")} hint={say("recordHint")}>
          {(input) => (
            <input
              {...input}
              required
              pattern="[a-z0-9][a-z0-9\-]*"
              maxLength={64}
              value={name.value}
              onInput={(event) => (name.value = event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="k-actions">
          <Button look="quiet" onClick={() => (asksName.value = false)}>
            {say("cancel")}
          </Button>
          <Button type="submit">{say("record")}</Button>
        </div>
      </form>
    </Dialog>
  );
}

function Clock() {
  const shownTime = new Date(hubNow.value).toLocaleString(words.language, {
    dateStyle: "medium",
    timeStyle: "short",
  });
  const isAhead = (shown.value?.ahead_ms ?? 0) > 0;
  return (
    <div class="s-clock">
      <span title={say("clock")} data-ahead={isAhead ? "" : undefined}>
        <span class="k-aside">{say("clock")}: </span>
        <time>{shownTime}</time>
      </span>
      <Button look="quiet" onClick={() => act({ do: "later", hours: 25 })}>
        {say("later25")}
      </Button>
      <Button look="quiet" onClick={() => act({ do: "later", hours: 192 })}>
        {say("later8")}
      </Button>
    </div>
  );
}

function WorkerState() {
  const { worker, faults } = shown.value ?? { worker: "up", faults: [] };
  return (
    <span class="s-states" role="status">
      {worker === "starting" && <span class="s-badge">{say("workerStarting")}</span>}
      {faults.length > 0 && (
        <span class="s-badge" data-pulse="">
          {say("armed", { count: faults.length })}
        </span>
      )}
    </span>
  );
}

function switchTheme(): void {
  const { dataset } = document.documentElement;
  const isDark = dataset.theme
    ? dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = isDark ? "light" : "dark";
}
