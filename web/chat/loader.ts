/**
 * `/chat.js`: draws the button, and loads the window when it is needed. It is a classic script, so that
 * `<script src="…/chat.js" data-key="…" async>` is all that a page needs.
 */
import type { ChatEvent, ChatOptions, ChatWindow, FormField, Host, Identity } from "./options.ts";

/** The window's file, with the hash of this build. The build sets it. */
declare const CHAT_WINDOW: string;
/** The same under a name that never changes, for pages that were loaded before a deploy. */
const NEWEST = "/chat-window.js";

/** What the button says. */
const LABELS: Record<string, readonly [open: string, close: string]> = {
  en: ["Open chat", "Close chat"],
  hi: ["चैट खोलें", "चैट बंद करें"],
  es: ["Abrir el chat", "Cerrar el chat"],
  ar: ["فتح المحادثة", "إغلاق المحادثة"],
  pt: ["Abrir o chat", "Fechar o chat"],
  fr: ["Ouvrir le chat", "Fermer le chat"],
  id: ["Buka obrolan", "Tutup obrolan"],
};

const STYLE = `
:host{all:initial;color-scheme:light dark;position:fixed;inset-block-end:20px;inset-inline-end:20px;z-index:2147483000;
--a:var(--hub-accent,light-dark(#0b6468,#7fd3cc));--o:var(--hub-on-accent,light-dark(#fff,#05211f))}
:host([data-position=start]){inset-inline:20px auto}
:host([data-theme=light]){color-scheme:light}:host([data-theme=dark]){color-scheme:dark}
.launch{display:grid;place-items:center;inline-size:56px;block-size:56px;padding:0;border:0;border-radius:50%;background:var(--a);
color:var(--o);box-shadow:0 4px 16px rgb(0 0 0/.25);cursor:pointer;position:relative;touch-action:manipulation}
.launch:focus-visible{outline:3px solid light-dark(#0b57d0,#a8c7fa);outline-offset:3px}
.launch svg{inline-size:28px;block-size:28px;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.launch b{position:absolute;inset-block-start:-4px;inset-inline-end:-4px;min-inline-size:20px;box-sizing:border-box;padding:0 6px;
border-radius:10px;background:light-dark(#b3261e,#ff9d94);color:light-dark(#fff,#3a0703);font:700 12px/20px system-ui,sans-serif}
.launch b:empty{display:none}
@media (max-width:480px){.launch[aria-expanded=true]{display:none}}
@media print{:host{display:none}}`;

const CHAT = "M7.9 20A9 9 0 1 0 4 16.1L2 22Z";
const CLOSE = "M18 6 6 18M6 6l12 12";
const SVG = "http://www.w3.org/2000/svg";
const OPEN = "hub-chat-open";

const script = document.currentScript as HTMLScriptElement | null;
if (script && !("hub" in window && document.querySelector("session-hub-chat"))) start(script);

function start({ src, dataset }: HTMLScriptElement): void {
  const options = optionsOf(src, dataset);
  const listeners = new Map<ChatEvent, Set<(detail: unknown) => void>>();
  const element = document.createElement("session-hub-chat");
  const root = element.attachShadow({ mode: "open" });
  const button = document.createElement("button");
  const count = document.createElement("b");
  const path = document.createElementNS(SVG, "path");
  let isOpen = false;
  let loading: Promise<ChatWindow> | undefined;
  const tag = (options.language ?? (document.documentElement.lang || navigator.language)).toLowerCase();
  const language = Object.hasOwn(LABELS, tag.split("-")[0]!) ? tag.split("-")[0]! : "en";

  const host: Host = {
    options: { ...options, language },
    root,
    button,
    isOpen: () => isOpen,
    setOpen(open) {
      if (open === isOpen) return;
      isOpen = open;
      draw();
      keep(open);
      host.emit(open ? "open" : "close");
      void load().then(
        (chat) => chat.changed(),
        // The window did not come: the button must not say that it is open.
        () => open && isOpen && host.setOpen(false),
      );
    },
    setUnread(unread) {
      count.textContent = unread > 0 ? (unread > 99 ? "99+" : unread.toLocaleString(language)) : "";
      draw();
    },
    emit(event, detail) {
      for (const listener of listeners.get(event) ?? []) {
        try {
          listener(detail);
        } catch (error) {
          console.error(error); // a mistake of the page is not the chat's
        }
      }
    },
  };

  function draw(): void {
    const [open, close] = LABELS[language]!;
    button.setAttribute("aria-expanded", String(isOpen));
    button.setAttribute(
      "aria-label",
      isOpen ? close : count.textContent ? `${open} (${count.textContent})` : open,
    );
    path.setAttribute("d", isOpen ? CLOSE : CHAT);
  }

  function load(): Promise<ChatWindow> {
    loading ??= fetchWindow(options.url)
      .then((module) => module.mount(host))
      .catch((error: unknown) => {
        loading = undefined; // the next press tries again
        throw error;
      });
    return loading;
  }

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  if (options.theme) element.dataset.theme = options.theme;
  if (dataset.position === "start") element.dataset.position = "start";
  element.dir = language === "ar" ? "rtl" : "ltr";
  element.lang = language;
  button.className = "launch";
  button.type = "button";
  const icon = document.createElementNS(SVG, "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.append(path);
  button.append(icon, count);
  root.append(button);
  button.addEventListener("click", () => host.setOpen(!isOpen));
  for (const sign of ["pointerenter", "focus"])
    button.addEventListener(sign, () => void load().catch(() => {}), { once: true });
  draw();

  (window as { hub?: unknown }).hub = {
    open: () => host.setOpen(true),
    close: () => host.setOpen(false),
    identify: async (identity: Identity | null) => (await load()).identify(identity),
    on(event: ChatEvent, listener: (detail: unknown) => void) {
      const all = listeners.get(event) ?? new Set();
      listeners.set(event, all.add(listener));
      return () => all.delete(listener);
    },
  };
  const appear = () => {
    document.body.append(element);
    document.dispatchEvent(new CustomEvent("hub-ready"));
    if (kept(() => sessionStorage.getItem(OPEN))) host.setOpen(true);
    // Whoever was here before may have an answer: it shows as a number.
    else if (kept(() => localStorage.getItem(`${options.url} device`))) void load().catch(() => {});
  };
  if (document.body) appear();
  else addEventListener("DOMContentLoaded", appear);
}

/** The window goes on being open on the next page of the shop. */
function keep(open: boolean): void {
  kept(() => {
    if (open) sessionStorage.setItem(OPEN, "1");
    else sessionStorage.removeItem(OPEN);
    return null;
  });
}

/** A browser may deny its storages by throwing. */
function kept(read: () => string | null): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

async function fetchWindow(url: string): Promise<{ mount(host: Host): Promise<ChatWindow> }> {
  try {
    return await import(/* @vite-ignore */ url + CHAT_WINDOW);
  } catch {
    return await import(/* @vite-ignore */ url + NEWEST);
  }
}

function optionsOf(src: string, data: DOMStringMap): ChatOptions {
  const { key, title, language, greeting, theme } = data;
  const list = (text: string | undefined, by: string) =>
    (text ?? "")
      .split(by)
      .map((one) => one.trim())
      .filter(Boolean);
  return {
    url: new URL(src).origin,
    ...(key && { key }),
    ...(title && { title }),
    ...(language && { language }),
    ...(greeting && { greeting }),
    ...((theme === "light" || theme === "dark") && { theme }),
    replies: list(data.replies, "|"),
    form: list(data.form, " ").filter((name): name is FormField => ["name", "email", "phone"].includes(name)),
  };
}
