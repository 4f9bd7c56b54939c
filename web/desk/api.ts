import type { Message } from "@session-hub/client";

export type { Message };

/** What the hub answers to the desk: the fields that the page reads. */
export interface Colleague {
  readonly user_id: string;
  readonly name: string;
}
export interface User extends Colleague {
  readonly role: "agent" | "admin";
  readonly disabled: boolean;
  readonly email: string;
  readonly version: number;
}
export interface Conversation {
  readonly customer_key: string;
  readonly name: string | null;
  readonly contact: string | null;
  readonly channel: string | null;
  readonly holder: "bot" | "waiting" | "person";
  readonly user: Colleague | null;
  readonly unread: number;
  readonly overdue_at: string | null;
  readonly last: { readonly text: string; readonly kind: string; readonly at: string } | null;
  readonly last_at: string;
  readonly handoff: { readonly reason: string | null; readonly wanted: string | null } | null;
}
export interface Note {
  readonly note_id: string;
  readonly user: Colleague;
  readonly text: string;
  readonly created_at: string;
}
export interface Presence {
  readonly customer_key: string;
  readonly user: Colleague;
  readonly typing: boolean;
}
export interface Beside {
  readonly conversation: Conversation;
  readonly customer: {
    readonly name: string | null;
    readonly email: string | null;
    readonly phone: string | null;
    readonly tags: readonly string[];
    readonly version: number;
  };
  readonly identities: readonly {
    readonly kind: string;
    readonly value: string;
    readonly verified: boolean;
  }[];
  readonly addresses: readonly { readonly channel: string; readonly used_at: string }[];
  /** Channels that take free messages for a time only; `null`: a template reaches the customer. */
  readonly windows: readonly { readonly channel: string; readonly closes_at: string | null }[];
  readonly unreachable: readonly string[];
  readonly sessions: readonly {
    readonly session_id: string;
    readonly status: string;
    readonly channels: readonly string[];
    readonly created_at: string;
  }[];
  readonly orders: readonly {
    readonly order_id: string;
    readonly status: string;
    readonly amount: string;
    readonly currency: string;
  }[];
  readonly reservations: readonly {
    readonly reservation_id: string;
    readonly status: string;
    readonly datetime: string;
    readonly guests: number;
  }[];
  readonly notes: readonly Note[];
}
/** A reply in the hub's own form: docs/content.md. */
export type Reply = { readonly kind: string; readonly text?: string } & Readonly<Record<string, unknown>>;
export interface Canned {
  readonly shortcut: string;
  readonly title: string;
  readonly replies: readonly Reply[];
  readonly version: number;
}
export interface Template {
  readonly template_id: string;
  readonly name: string;
  readonly language: string;
  readonly variables: {
    readonly header: readonly string[];
    readonly body: readonly string[];
    readonly named: boolean;
    readonly header_media: "image" | "video" | "document" | null;
    readonly buttons: readonly ("url" | "code" | "id" | "none")[];
    readonly other: readonly string[];
  };
  readonly components: readonly { readonly type?: string; readonly text?: string }[];
}
/** A file that was uploaded, before it is sent. */
export interface Upload {
  readonly upload: string;
  readonly kind: "image" | "video" | "audio" | "document";
  readonly file_name: string | null;
  readonly size: number;
}
export interface Found {
  readonly message_id: string;
  readonly session_id: string;
  readonly channel: string;
  readonly created_at: string;
  /** Escaped HTML, with no other tag than `<mark>`. */
  readonly snippet: string;
  readonly customer?: {
    readonly customer_key: string;
    readonly name: string | null;
    readonly contact: string | null;
  };
}
export interface DeadLetter {
  readonly id: string;
  readonly session_id: string;
  readonly created_at: string;
  readonly type: string;
  readonly channel: string;
  readonly reason: string;
}
export type View = "mine" | "unassigned" | "waiting" | "held" | "snoozed" | "all";
export type Counts = Readonly<Record<Exclude<View, "all"> | "overdue", number>>;

/** A refusal of the hub, or `offline` without an answer. */
export class Refused extends Error {
  readonly code: string;
  readonly details: { readonly user?: Colleague; readonly role?: string; readonly why?: string };

  constructor(code: string, details: Refused["details"] = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

const KEPT = "hub.desk.token";
let token = sessionStorage.getItem(KEPT);

export const isSignedIn = () => token !== null;

/** Keeps the token until the tab is closed. It is in no cookie and no URL. */
export function keepToken(given: string | null): void {
  token = given;
  if (given === null) sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, given);
}

/** The header with which a call is the caller's own. */
export const authorization = (): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${token}` };

export interface Call {
  readonly method?: string;
  readonly body?: unknown;
  /** Instead of a body: the bytes of a file. */
  readonly file?: Blob;
  readonly version?: number;
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/** Calls the hub. Throws `Refused`. */
export async function call<T>(
  path: string,
  { method, body, file, key, version, signal }: Call = {},
): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method: method ?? (body === undefined && !file ? "GET" : "POST"),
      headers: {
        ...authorization(),
        ...(file && { "content-type": "application/octet-stream" }),
        ...(version !== undefined && { "if-match": `"${version}"` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(key !== undefined && { "idempotency-key": key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(file && { body: file }),
      ...(signal && { signal }),
    });
  } catch {
    throw new Refused("offline");
  }
  const value = (await answer.json().catch(() => ({}))) as { error?: { code: string; details?: object } };
  if (!answer.ok) throw new Refused(value.error?.code ?? "offline", value.error?.details);
  return value as T;
}
