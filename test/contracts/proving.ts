import { expect } from "vitest";
import type { Identities } from "../../src/core/identity/identity.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import type { Opened } from "../../src/core/receive/conversations.ts";
import type { StartSession } from "../../src/core/sessions/sessions.ts";
import type { AuditLine } from "../../src/features/privacy/privacy.ts";
import { anna, ben, type Desk, type Heard, hash, minute, said } from "./given.ts";

/** Starts a session, on the web by default. The token is `hash(seed)`. */
export function begin(
  store: Desk,
  seed: number,
  identities: Identities,
  now: Date,
  over: Partial<StartSession> = {},
): Promise<Opened> {
  return store.sessions.start({ identities, channel: "web", token_hash: hash(seed), ...over }, now);
}

/** Claims a phone at a kiosk. */
export function typeIn(store: Desk, seed: number, phone: string, now: Date): Promise<Opened> {
  return begin(store, seed, { phone }, now, { channel: "kiosk", claimed: true });
}

/** A code's hash. The store accepts any. */
export const codeHash = (digits: string): string => hash(1_000_000 + Number(digits));

/** Requests a code and returns the addresses for it. */
export function askCode(
  store: Desk,
  phone: string,
  digits: string,
  now: Date,
  rate_limit_keys: string[] = [],
) {
  return store.proofs.requestCode({ phone, code_hash: codeHash(digits), rate_limit_keys }, now);
}

/** Confirms a code. The device's new token is `hash(seed)`. */
export function giveCode(
  store: Desk,
  phone: string,
  digits: string,
  seed: number,
  now: Date,
  over: { token_hash?: string; channel?: string; merge?: boolean } = {},
): Promise<Opened> {
  const proof = { phone, code_hash: codeHash(digits), new_token_hash: hash(seed), channel: "web", ...over };
  return store.proofs.confirmCode(proof, now);
}

/** Anna's session on WhatsApp and Telegram, with a cart. */
export async function annasSession(store: Desk): Promise<Heard> {
  const { phone, whatsapp_user_id, telegram_chat_id } = anna;
  await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "a1"), minute(-10));
  await store.hear(said("telegram", { telegram_chat_id, phone }, "a2"), minute(-9));
  await begin(store, 901, { phone }, minute(-8), { data: { cart: ["anna's"] } });
  return store.hear(said("telegram", { telegram_chat_id }, "a3"), minute(-7));
}

/** Ben's session on Telegram, and the token of his browser: `hash(902)`. */
export async function bensSession(store: Desk): Promise<Opened> {
  return begin(store, 902, { telegram_chat_id: ben.telegram_chat_id }, minute(-6), {
    data: { cart: ["ben's"] },
  });
}

/** Sends a link token from a messenger. */
export function scan(
  store: Desk,
  from: Identities,
  link_hash: string,
  external_id: string,
  now: Date,
  over: Partial<InboundMessage> = {},
): Promise<Heard> {
  const channel = from.telegram_chat_id === undefined ? "whatsapp" : "telegram";
  const content = { kind: "system", event: "linked" } as const;
  return store.hear(said(channel, from, external_id, { link_hash, content, wakes: false, ...over }), now);
}

/** Expects that a token opens this session, or none. */
export async function expectToken(store: Desk, token_hash: string, opens: string | undefined, now: Date) {
  const page = store.sessions.messages({ token_hash }, 0, 1, now);
  if (opens === undefined) await expect(page).rejects.toMatchObject({ code: "session_not_found" });
  else expect((await page).session_id).toBe(opens);
}

/** Runs calls at once and returns how many succeeded. */
export async function succeeded(calls: readonly Promise<unknown>[]): Promise<number> {
  const outcomes = await Promise.allSettled(calls);
  return outcomes.filter(({ status }) => status === "fulfilled").length;
}

/** A new actor. Each test has its own, because the audit is never cleared. */
export const actorOf = (): string => `admin:${crypto.randomUUID()}`;

/** All lines of the audit that an actor left. */
export async function auditOf(store: Desk, actor: string): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  for (let after: string | undefined; ; after = lines.at(-1)!.audit_id) {
    const page = await store.privacy.audit(after, 50);
    lines.push(...page);
    if (page.length < 50) return lines.filter((line) => line.actor === actor);
  }
}
