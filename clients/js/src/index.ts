export type { KeptIn } from "./box.ts";
export { HubError } from "./error.ts";
export { createHub, type HubClient, type HubOptions } from "./hub.ts";
export type { Listening, Subscription } from "./stream.ts";
export type {
  Call,
  Changes,
  Closing,
  Content,
  ErrorCode,
  HubEvent,
  Links,
  Message,
  Outgoing,
  Page,
  Rating,
  Sent,
  Session,
  Start,
  Turn,
  Upload,
  Who,
} from "./types.ts";
