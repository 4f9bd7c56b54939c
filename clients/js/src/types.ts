import type { components, paths } from "./api.ts";

type Schemas = components["schemas"];
type BodyOf<Path extends keyof paths> = paths[Path] extends {
  post: { requestBody?: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;

/** A session, as the hub shows it. */
export type Session = Schemas["Session"];
/** A message of any channel, as the hub shows it. */
export type Message = Schemas["Message"];
/** What a message says, by kind. */
export type Content = NonNullable<Schemas["CallerMessage"]["content"]>;
/** A file that was uploaded. */
export type Upload = Schemas["Upload"];
/** The state of the bot's answer to a message. */
export type Turn = Schemas["Turn"];

/** The body of every answer that is an error. */
export type Refusal = Schemas["Error"];

/** The hub's codes, and those of the client: `network` and `timeout` (no answer came), `no_session` (no token is held). */
export type ErrorCode = Schemas["Error"]["error"]["code"] | "network" | "timeout" | "no_session";

/** How a session is opened. Without an API key only `data` and `identity` are allowed. */
export type Start = Omit<BodyOf<"/session/start">, "channel" | "public_id">;
/** Whose session is restored, with an API key; without one leave it out. */
export type Who = Omit<BodyOf<"/session/restore">, "channel">;
export type Changes = Omit<BodyOf<"/session/update">, "channel">;
export type Closing = NonNullable<BodyOf<"/session/end">>;
export type Rating = BodyOf<"/api/sessions/{id}/rate">;
export type Outgoing = Omit<Schemas["CallerMessage"], "phone" | "session">;

/** A page of messages. `cursor` is the `after` of the next one. */
export interface Page {
  readonly messages: readonly Message[];
  readonly cursor: string;
  readonly more: boolean;
}

/** Links with which the customer joins a messenger to this session, and the same as QR codes in SVG, by channel. */
export interface Links {
  readonly links: Readonly<Record<string, string>>;
  readonly qr: Readonly<Record<string, string>>;
  readonly expires_at: string;
}

/** A message that the hub has. `message` is absent while only the hub's journal has it, because its database is down. */
export interface Sent {
  readonly external_id: string;
  readonly message?: Message;
}

/** A frame of the live connection. */
export type Frame = Schemas["LiveFrame"];

/** What a subscription says. */
export type HubEvent =
  /** `message` comes once for each message; the others of the hub's frames tell of changes, and are not repeated. */
  | Exclude<Frame, { type: "ready" }>
  /** Everything up to now was delivered. `live`: over a WebSocket; else new messages come by long poll. */
  | { readonly type: "ready"; readonly cursor: string; readonly live: boolean }
  /** The connection is lost; the client comes back by itself, and says `ready` then. */
  | { readonly type: "lost" }
  /** The session has merged. The other's messages follow, each once, also earlier ones: sort by `seq`. */
  | { readonly type: "merged" }
  /** The device holds another session. Clear what you show: all messages of that session follow. */
  | { readonly type: "switched" }
  /** The subscription is over. `crowded`: other pages of this device took its place; else the session is over. */
  | { readonly type: "ended"; readonly code: ErrorCode | "crowded" };

/** Fields that every call has. */
export interface Call {
  readonly signal?: AbortSignal | undefined;
}

export interface Opened {
  readonly session_token: string;
  readonly session: Session;
}
