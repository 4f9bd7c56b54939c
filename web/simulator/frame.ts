/**
 * `/simulator-frame.js`, in development only: makes a frame of the simulator a device of its own. It runs before the page's own
 * scripts. The page is the one that ships, and knows nothing of it.
 */
import type { FrameState } from "../../dev/simulator/model.ts";

/** How often and how long the kiosk's login screen is looked for. */
const LOOK_MS = 50;
const LOOKS = 200;
const TAG = "x-simulator-device";

const state = JSON.parse(document.currentScript!.dataset.state!) as FrameState;
const { person, device, held, phone, key, country } = state;

// Storage that no other device has. It lives as long as the page, so the simulator gives it what lasts.
const local: Record<string, string> = {};
if (held) {
  local[`${location.origin} device`] = JSON.stringify({ ...held, line: held.token.slice(0, 16), next: [] });
}
if (key) local["hub-kiosk-key"] = key;
if (country) local["hub-kiosk-country"] = country;
own("localStorage", storageOf(local));
own("sessionStorage", storageOf({ "hub-chat-open": "1" }));
// The kiosk deletes every database of its device; the chat's is another device's.
if (device === "kiosk") Object.defineProperty(indexedDB, "databases", { value: async () => [] });

// The simulator follows what this device calls.
const realFetch = window.fetch;
window.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : String(input), location.href);
  if (url.origin !== location.origin || input instanceof Request) return realFetch(input, init);
  const headers = new Headers(init?.headers);
  headers.set(TAG, `${person}/${device}`);
  return realFetch(input, { ...init, headers });
};

const { send } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.send = function (body) {
  this.setRequestHeader(TAG, `${person}/${device}`); // only uploads, to the hub
  send.call(this, body);
};

// A page that puts the focus somewhere must not take it from another device.
const { focus } = HTMLElement.prototype;
HTMLElement.prototype.focus = function (options) {
  if (document.hasFocus()) focus.call(this, options);
};

// It looks as the simulator around it does.
const around = parent.document.documentElement;
const language = around.lang || navigator.language;
Object.defineProperty(navigator, "language", { configurable: true, get: () => language });
const dress = () => {
  const { theme } = around.dataset;
  for (const element of [document.documentElement, document.querySelector<HTMLElement>("session-hub-chat")])
    if (theme && element) element.dataset.theme = theme;
};
new MutationObserver(dress).observe(around, { attributes: true, attributeFilter: ["data-theme"] });
document.addEventListener("hub-ready", dress);
dress();

if (device === "kiosk" && phone !== undefined) void enter(phone);

/** Types the phone at the kiosk as a customer does, or goes on without one. */
async function enter(typed: string): Promise<void> {
  for (let i = 0; i < LOOKS; i++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const field = document.querySelector<HTMLInputElement>("form.card input.phone");
    if (!field) continue;
    if (typed === "") {
      document.querySelector<HTMLElement>("form.card .others button:last-child")?.click();
      return;
    }
    field.value = typed;
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    field.form!.requestSubmit();
    return;
  }
}

function own(name: "localStorage" | "sessionStorage", storage: Storage): void {
  Object.defineProperty(window, name, { configurable: true, get: () => storage });
}

/** A `Storage` in memory. */
function storageOf(values: Record<string, string>): Storage {
  const kept = new Map(Object.entries(values));
  const storage = {
    get length() {
      return kept.size;
    },
    key: (index: number) => [...kept.keys()][index] ?? null,
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => void kept.set(name, String(text)),
    removeItem: (name: string) => void kept.delete(name),
    clear: () => kept.clear(),
  };
  return new Proxy(storage as Storage, {
    ownKeys: () => [...kept.keys()],
    getOwnPropertyDescriptor: (_, name) =>
      kept.has(String(name))
        ? { value: kept.get(String(name)), enumerable: true, configurable: true, writable: true }
        : undefined,
  });
}
