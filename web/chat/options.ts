/** What a shop's page says about its chat, by `data-…` attributes of the script. */
export interface ChatOptions {
  /** The hub's address, from which the script was loaded. */
  readonly url: string;
  /** The shop's public id; absent where the hub needs none. */
  readonly key?: string;
  readonly title?: string;
  /** A BCP 47 tag; absent: that of the page, then that of the browser. */
  readonly language?: string;
  /** Shown before the first message. It is not stored. */
  readonly greeting?: string;
  /** Texts that the visitor may send by one press, before the first message. */
  readonly replies: readonly string[];
  /** The fields that are asked for before the first message. */
  readonly form: readonly FormField[];
  readonly theme?: "light" | "dark";
}

export const FORM_FIELDS = ["name", "email", "phone"] as const;
export type FormField = (typeof FORM_FIELDS)[number];

/** A customer whom the shop's server has signed: docs/client.md. */
export interface Identity {
  readonly customer_id: string;
  readonly expires_at: number;
  readonly signature: string;
}

export type ChatEvent = "ready" | "open" | "close" | "message" | "unread" | "session";

/** What the loader gives to the window, which is loaded when it is needed. */
export interface Host {
  readonly options: ChatOptions;
  /** Where the window is drawn. */
  readonly root: ShadowRoot;
  readonly button: HTMLButtonElement;
  /** Whether the window is to be seen. */
  isOpen(): boolean;
  setOpen(open: boolean): void;
  setUnread(count: number): void;
  emit(event: ChatEvent, detail?: unknown): void;
}

/** The window, once it is loaded. */
export interface ChatWindow {
  /** Called after the window was opened or closed. */
  changed(): void;
  /** Opens the session of a customer whom the shop has signed; `null` signs the device out. */
  identify(identity: Identity | null): Promise<void>;
}
