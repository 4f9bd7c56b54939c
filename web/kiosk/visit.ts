import { type Signal, signal } from "@preact/signals";
import { createHub, HubError, type Links, type Message } from "@session-hub/client";
import { type Conversation, conversationOf } from "../kit/conversation.ts";
import { type KioskConfig, wipe } from "./config.ts";
import { texts } from "./texts/index.ts";

export type Screen = "phone" | "prove" | "customer";

/** How long a sign-out may take before the kiosk is wiped all the same. Then the token ends by `KIOSK_IDLE_SECONDS`. */
const SIGN_OUT_MS = 2_000;

/** One person at the kiosk, from the first touch until the wipe. It keeps nothing outside memory. */
export interface Visit {
  readonly screen: Signal<Screen>;
  readonly phone: Signal<string>;
  readonly isBusy: Signal<boolean>;
  /** What went wrong, in words; empty: nothing. */
  readonly problem: Signal<string>;
  readonly conversation: Conversation;
  /** The session's `data.cart`, as it is. */
  readonly cart: Signal<unknown>;
  /** Reads a file of the conversation; links that work without the token are for pages that stay. */
  readFile(message: Message, card?: number): Promise<Blob>;
  /** Opens a session for the phone as it was typed; a known one must be proven. */
  claim(): Promise<void>;
  /** Goes on without a phone. */
  anonymous(): Promise<void>;
  /** Goes to the proof by scanning alone. */
  scan(): Promise<void>;
  requestCode(): Promise<void>;
  confirm(code: string): Promise<void>;
  logIn(password: string): Promise<void>;
  link(): Promise<Links | undefined>;
  back(): void;
  /** Signs out, wipes this device, and begins again with an empty page. */
  leave(): Promise<void>;
}

export function visitOf({ key, needsKey }: KioskConfig): Visit {
  const hub = createHub({ url: location.origin, channel: "kiosk", ...(key && { key }) });
  const screen = signal<Screen>("phone");
  const phone = signal("");
  const isBusy = signal(false);
  const problem = signal("");
  const cart = signal<unknown>(undefined);
  let isLeaving = false;
  let running: Promise<unknown> = Promise.resolve();
  const conversation = conversationOf(hub, (event) => {
    if (event.type === "session") cart.value = event.session.data.cart;
    // A link was scanned: somebody is signed in now.
    if (event.type === "merged" || event.type === "switched") {
      if (screen.value === "prove") enter();
      else cart.value = hub.session.current?.data.cart;
    }
    if (event.type === "ended" && !isLeaving) void visit.leave();
  });

  function enter(): void {
    cart.value = hub.session.current?.data.cart;
    problem.value = "";
    screen.value = "customer";
    if (conversation.line.value === "none") conversation.listen();
  }

  /** Runs one step after the one that runs. An error becomes words, and the screen stays usable. */
  function step<T>(work: () => Promise<T>): Promise<T | undefined> {
    const run = async () => {
      isBusy.value = true;
      problem.value = "";
      try {
        return await work();
      } catch (error) {
        problem.value = wordsOf(error, needsKey && !key);
        return undefined;
      } finally {
        isBusy.value = false;
      }
    };
    const result = running.then(run);
    running = result;
    return result;
  }

  async function openAnonymous(): Promise<void> {
    if (!hub.session.current) await hub.session.start();
  }

  /** A scan is noticed by listening. */
  async function prove(): Promise<void> {
    await openAnonymous();
    if (conversation.line.value === "none") conversation.listen();
    screen.value = "prove";
  }

  const visit: Visit = {
    screen,
    phone,
    isBusy,
    problem,
    conversation,
    cart,
    readFile: (message, card) => hub.file(message, card ? { card } : {}),
    claim: () =>
      step(async () => {
        if (!key) return prove();
        try {
          await hub.session.start({ phone: phone.value });
        } catch (error) {
          if (!(error instanceof HubError) || error.code !== "verification_required") throw error;
          return prove();
        }
        enter();
      }),
    anonymous: () =>
      step(async () => {
        await openAnonymous();
        enter();
      }),
    async scan() {
      phone.value = "";
      await step(prove);
    },
    requestCode: () => step(() => hub.verify.request(phone.value)),
    confirm: (code) =>
      step(async () => {
        await hub.verify.confirm(phone.value, code);
        enter();
      }),
    logIn: (password) =>
      step(async () => {
        await hub.verify.login(phone.value, password);
        enter();
      }),
    link: () => step(() => hub.verify.link()),
    back() {
      problem.value = "";
      screen.value = "phone";
    },
    async leave() {
      if (isLeaving) return;
      isLeaving = true;
      await Promise.race([
        hub.session.signOut().catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, SIGN_OUT_MS)),
      ]);
      hub.close();
      conversation.clear();
      phone.value = "";
      cart.value = undefined;
      await wipe();
      // A new document has none of the old one's memory. The old one's place in the history is taken.
      location.replace(location.pathname);
    },
  };
  return visit;
}

function wordsOf(error: unknown, misses: boolean): string {
  if (!(error instanceof HubError)) return texts.say("problem");
  const { code, retryAfterMs = 60_000 } = error;
  if (code === "network" || code === "timeout") return texts.say(navigator.onLine ? "no_answer" : "offline");
  if (code === "too_many_requests") return texts.say("too_many", { count: Math.ceil(retryAfterMs / 1_000) });
  if (code === "code_invalid") return texts.say("wrong_code");
  if (code === "password_invalid") return texts.say("wrong_password");
  if (code === "malformed" || code === "phone_ambiguous") return texts.say("wrong_phone");
  if (code === "unauthorized" || (code === "forbidden" && misses)) return texts.say("no_key");
  return texts.say("problem");
}
