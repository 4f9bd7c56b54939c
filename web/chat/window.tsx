import { effect, signal } from "@preact/signals";
import type { HubEvent } from "@session-hub/client";
import { render } from "preact";
import { words } from "../kit/content/words.ts";
import { directionOf } from "../kit/i18n/languages.ts";
import { beep } from "./beep.ts";
import sheetText from "./chat.css?inline";
import { Chat, type ChatState, type View } from "./chat.tsx";
import type { ChatWindow, Host } from "./options.ts";
import { texts } from "./texts/index.ts";
import { visitOf } from "./visit.ts";

const SEEN = "hub-chat-seen";
const SOUND = "hub-chat-sound";

/** Draws the window of the chat beside its button. Called once, by the loader. */
export async function mount(host: Host): Promise<ChatWindow> {
  const { options, root } = host;
  // The words may be missing, as when the line is lost; then they are English.
  await Promise.all([texts.use(options.language), words.use(options.language)]).catch(() => {});
  const visit = visitOf(options, take);
  const isOpen = signal(host.isOpen());
  const isOnline = signal(navigator.onLine);
  const isVisible = signal(!document.hidden);
  const seen = signal(stored(SEEN) ?? "");
  const view = signal<View>("thread");
  const hasSound = signal(stored(SOUND) === "on");
  const takesFiles = signal(false);
  let isCaughtUp = false;

  function take(event: HubEvent): void {
    if (event.type === "ready") isCaughtUp = true;
    if (event.type === "switched" || event.type === "merged") isCaughtUp = false;
    if (event.type === "session") host.emit("session", event.session);
    if (event.type !== "message") return;
    host.emit("message", event.message);
    if (isCaughtUp && event.message.direction === "outbound" && hasSound.value) beep();
  }

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(sheetText);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  const place = document.createElement("div");
  place.dir = directionOf(texts.language);
  place.lang = texts.language;
  root.insertBefore(place, host.button);

  const state: ChatState = { host, visit, isOpen, isOnline, view, hasSound, takesFiles };
  render(<Chat {...state} />, place);

  for (const name of ["online", "offline"]) addEventListener(name, () => (isOnline.value = navigator.onLine));
  document.addEventListener("visibilitychange", () => (isVisible.value = !document.hidden));
  addEventListener("storage", ({ key, newValue }) => {
    if (key === SEEN) seen.value = newValue ?? "";
  });
  effect(() => {
    const newest =
      visit.messages.value.findLast(({ direction }) => direction === "outbound")?.created_at ?? "";
    if (!isOpen.value || !isVisible.value || newest <= seen.value) return;
    seen.value = newest;
    store(SEEN, newest);
  });
  effect(() => store(SOUND, hasSound.value ? "on" : "off"));
  let unread = 0;
  effect(() => {
    const count = visit.messages.value.filter(
      ({ direction, role, created_at }) =>
        direction === "outbound" && role !== "system" && created_at > seen.value,
    ).length;
    if (count === unread) return;
    unread = count;
    host.setUnread(count);
    host.emit("unread", count);
  });

  effect(() => {
    // A page whose window nobody opens asks nothing.
    if (isOpen.value && !takesFiles.peek()) void asksForFiles();
  });
  async function asksForFiles(): Promise<void> {
    try {
      const answer = await fetch(`${options.url}/api/config`, { credentials: "omit" });
      const config: { readonly uploads: object | null } = await answer.json();
      takesFiles.value = config.uploads !== null && answer.ok;
    } catch {
      // The next opening asks again.
    }
  }

  visit.resume();
  host.emit("ready");
  return {
    changed() {
      isOpen.value = host.isOpen();
      view.value = "thread";
      if (isOpen.value) setTimeout(() => focusOn(root), 0);
      else if (root.activeElement !== null || document.activeElement === document.body) host.button.focus();
    },
    identify: visit.identify,
  };
}

function focusOn(root: ShadowRoot): void {
  root
    .querySelector<HTMLElement>(".window :is(textarea, .panel input, .over button):not(:disabled)")
    ?.focus();
}

function stored(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

function store(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Without storage it holds for this page.
  }
}
