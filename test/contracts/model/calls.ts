import type { Identities, IdentityKind } from "../../../src/core/identity/identity.ts";
import type { Content } from "../../../src/core/messages/content.ts";
import type { SessionChanges, StartSession } from "../../../src/core/sessions/sessions.ts";
import type { StoreSettings } from "../../../src/core/store.ts";

/** Selects one of the ids seen so far, counted back from the newest; a larger number wraps around. */
export type Nth = number;

export type Sender =
  | { readonly identities: Identities }
  | { readonly token: number }
  | { readonly session: Nth };
export type Owner = { readonly token: number } | { readonly session: Nth };

/** One event of a webhook. `b` names a second person, who shares no identity with the first. */
export type Item =
  | {
      readonly is: "message";
      readonly b: boolean;
      readonly channel: string;
      readonly id: number;
      readonly content: Content;
      readonly replyTo?: number;
      readonly link?: number;
      readonly wakes: boolean;
      readonly address: number;
      /** How long after it its window closes, in ms. */
      readonly window?: number;
    }
  | { readonly is: "echo"; readonly b: boolean; readonly channel: string; readonly id: number }
  | { readonly is: "receipt"; readonly channel: string; readonly id: string; readonly status: string }
  | {
      readonly is: "edit";
      readonly channel: string;
      readonly id: number;
      readonly content: Content | null;
      readonly ago?: number;
      readonly wakes: boolean;
    }
  | {
      readonly is: "reachability";
      readonly b: boolean;
      readonly channel: string;
      readonly reachable: boolean;
    };

export interface Settlement {
  readonly nth: Nth;
  readonly state: "sent" | "pending" | "held" | "dead";
  readonly id: number;
  readonly wait: number;
  readonly reason: string;
}

interface Calls {
  receive: {
    readonly from: Sender;
    readonly claimed?: boolean;
    readonly b: Identities;
    readonly items: readonly Item[];
    /** An identity change, after the other events: so nothing that it opens has the same age as another row. */
    readonly change?: Identities;
  };
  complete: { readonly nth: Nth; readonly replies: readonly (readonly string[])[] };
  fail: { readonly nth: Nth; readonly wait?: number; readonly reason: string };
  settle: { readonly outcomes: readonly Settlement[] };
  due: { readonly limit: number };
  start: Omit<StartSession, "token_hash"> & { readonly token: number };
  restore: {
    readonly token: number;
    readonly identities?: Identities;
    readonly customer_id?: string;
    readonly claimed?: boolean;
    readonly channel?: string;
  };
  find: {
    readonly who:
      | { readonly identities: Identities }
      | { readonly customer_id: string }
      | { readonly session: Nth };
  };
  update: SessionChanges & { readonly of: Owner };
  end: { readonly token: number };
  signOut: { readonly token: number };
  messages: { readonly of: Owner; readonly after: Nth; readonly limit: number };
  expire: object;
  /** `unseen`: identities that were not seen for this many days are deleted too. */
  purge: { readonly days: number; readonly unseen?: number };
  deadLetters: { readonly session?: Nth };
  metrics: object;
  retry: { readonly nth: Nth };
  requestCode: { readonly phone: string; readonly code: number; readonly limits: readonly string[] };
  confirmCode: {
    readonly phone: string;
    readonly code: number;
    readonly token?: number;
    readonly next: number;
    readonly channel: string;
    readonly merge?: boolean;
  };
  createLink: { readonly token: number; readonly link: number; readonly next: number };
  signUp: { readonly token: number; readonly password: string };
  logIn: {
    readonly phone: string;
    readonly password: string;
    readonly token?: number;
    readonly next: number;
    readonly channel: string;
  };
  devices: { readonly of: Owner };
  revokeDevice: { readonly of: Owner; readonly nth: Nth };
  unlink: { readonly token: number; readonly kind: IdentityKind };
  export: { readonly of: { readonly customer_id: string } | { readonly session: Nth } };
  erase: { readonly of: { readonly customer_id: string } | { readonly session: Nth } };
}

/** One call of a store. It names ids by number, so that the same call can be made on any store. */
export type Call = { [K in keyof Calls]: { readonly do: K } & Calls[K] }[keyof Calls];
export type CallOf<K extends keyof Calls> = Extract<Call, { do: K }>;

/** A call, and how long after the call before it, in ms. */
export type Step = Call & { readonly after_ms: number };

export interface Run {
  readonly settings: StoreSettings;
  readonly steps: readonly Step[];
}
