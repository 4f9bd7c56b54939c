import { signal } from "@preact/signals";
import { Keyboard } from "lucide";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { act, mode, open, openKey, rows } from "./state.ts";
import { words } from "./words.ts";

const isShown = signal(false);

const step = (by: number) => {
  const at = rows.value.findIndex(({ customer_key }) => customer_key === openKey.value);
  const next = rows.value[at + by];
  if (next) void open(next.customer_key);
};
const write = (what: "reply" | "note") => {
  if (openKey.value === undefined) return;
  mode.value = what;
  document.querySelector<HTMLTextAreaElement>(".desk-writing textarea")?.focus();
};
const onOpen = (run: () => void) => () => openKey.value !== undefined && run();

const KEYS: readonly [key: string, words: Parameters<typeof words.say>[0], run: () => unknown][] = [
  ["j", "nextOne", () => step(1)],
  ["k", "previousOne", () => step(-1)],
  ["r", "reply", () => write("reply")],
  ["n", "note", () => write("note")],
  ["t", "take", onOpen(() => void act("take"))],
  ["b", "giveBack", onOpen(() => void act("give-back"))],
  ["e", "close", onOpen(() => void act("close"))],
  ["/", "search", () => document.getElementById("desk-search")?.focus()],
  ["?", "shortcuts", () => (isShown.value = true)],
];

/** Listens for keys of the page, which do nothing while one writes. Returns what ends it. */
export function listenForShortcuts(): () => void {
  const listen = (event: KeyboardEvent) => {
    const { target, key, ctrlKey, metaKey, altKey } = event;
    const isWriting =
      target instanceof HTMLElement && target.closest("input, textarea, select, dialog, [contenteditable]");
    if (key === "Escape" && isWriting && target instanceof HTMLElement && !target.closest("dialog"))
      target.blur();
    if (isWriting || ctrlKey || metaKey || altKey) return;
    const found = KEYS.find(([one]) => one === key);
    if (!found) return;
    event.preventDefault();
    found[2]();
  };
  addEventListener("keydown", listen);
  return () => removeEventListener("keydown", listen);
}

/** The button that shows the keys. */
export function Shortcuts() {
  const { say } = words;
  const close = () => (isShown.value = false);
  return (
    <>
      <IconButton label={say("shortcuts")} onClick={() => (isShown.value = true)}>
        <Icon of={Keyboard} />
      </IconButton>
      {isShown.value && (
        <Dialog title={say("shortcuts")} onClose={close}>
          <dl class="desk-keys">
            {KEYS.map(([key, what]) => (
              <div key={key}>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{say(what)}</dd>
              </div>
            ))}
          </dl>
          <Button onClick={close}>{say("done")}</Button>
        </Dialog>
      )}
    </>
  );
}
