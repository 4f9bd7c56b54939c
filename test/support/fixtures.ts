import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { WebhookRequest } from "../../src/core/channel.ts";

/** A webhook, and the events that the channel reads in it, or the error code with which it refuses it. */
export interface RequestFixture {
  /** `raw` is a body that is not JSON. The runner signs the body; `headers` replace its headers. */
  request: { headers?: Record<string, string>; body?: unknown; raw?: string };
  inbound?: unknown[];
  error?: { code: string };
  /** The platform's answers to the calls that the channel makes while it reads, in order. */
  platform?: PlatformAnswer | PlatformAnswer[];
  /** The calls that the platform must get meanwhile. */
  requests?: PlatformCall[];
}

/** The fake platform's answer to one call. `drop` closes the connection; `hang` never answers. */
export interface PlatformAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
  raw?: string;
  drop?: boolean;
  hang?: boolean;
}

/** A call that the platform must get: exact, except for headers that are not named. */
export interface PlatformCall {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Calls of the channel, the platform's answers, and the resulting error, if any. */
export interface Exchange {
  /** Answers in the order of calls. */
  platform: PlatformAnswer | PlatformAnswer[];
  requests?: PlatformCall[];
  error?: { code: string; reason?: string; retryAfterMs?: number };
}

/** One `send`. It ends with an error, with an id, or with a pattern for an id that the channel makes up. */
export interface SendFixture extends Exchange {
  send: { to: Record<string, string>; part: { kind: "text"; text: string } };
  id?: string;
  idMatches?: string;
}

/** One `sendCode`, `hours` after the customer's last message. `env` is added to the kit's settings. */
export interface CodeFixture extends Exchange {
  sendCode: { address: Record<string, string>; code: string; hours: number };
  env?: Record<string, string>;
}

/** One `showTyping`. */
export interface ShowTypingFixture extends Exchange {
  showTyping: { to: Record<string, string>; external_id: string };
}

/** A subscription handshake: the answer's text, `null` for none, or the refusal. */
export interface HandshakeFixture {
  handshake: { method?: string; query: string };
  answer?: string | null;
  error?: { code: string };
}

type Fixture = RequestFixture | SendFixture | CodeFixture | ShowTypingFixture | HandshakeFixture;

/** Every fixture of a channel that has `key`, with its name for `test.for`. */
export function fixturesWith<T extends Fixture>(channel: string, key: keyof T & string): [string, T][] {
  return jsonFiles(join("test/fixtures", channel)).filter((entry): entry is [string, T] => {
    const fixture = entry[1];
    return typeof fixture === "object" && fixture !== null && key in fixture;
  });
}

/** Every `*.json` of a folder, parsed, by its name without the ending; none if there is no such folder. */
export function jsonFiles(folder: string): [string, unknown][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => [file.slice(0, -".json".length), JSON.parse(readFileSync(join(folder, file), "utf8"))]);
}

/** The bytes of a fixture's body. */
export function bytesOf(request: RequestFixture["request"]): Uint8Array {
  return new TextEncoder().encode(request.raw ?? JSON.stringify(request.body));
}

/** A webhook call with these bytes. */
export function toRequest(body: Uint8Array, headers: Record<string, string> = {}): WebhookRequest {
  return { method: "POST", query: new URLSearchParams(), headers: new Headers(headers), body };
}

/** A value after JSON: dates as text, undefined members removed. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
