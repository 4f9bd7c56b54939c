import type { Delivery, Outcome, Turn } from "../../../src/core/answer/turn.ts";
import type { Identities } from "../../../src/core/identity/identity.ts";
import type { InboundEvent } from "../../../src/core/receive/conversations.ts";
import type { SessionRef } from "../../../src/core/sessions/session.ts";
import type { Store } from "../../../src/core/store.ts";
import type { ExportPage } from "../../../src/features/privacy/privacy.ts";
import { ACCOUNTS, hash } from "../given.ts";
import type { Call, CallOf, Item, Nth, Owner } from "./calls.ts";

/** The ids that one of the stores has returned, newest first. */
export interface Seen {
  turn(nth: Nth): Turn | undefined;
  delivery(nth: Nth): Delivery | undefined;
  session(nth: Nth): string | undefined;
  dead(nth: Nth): string | undefined;
  device(nth: Nth): string | undefined;
  cursor(nth: Nth): number;
  /** Whether a platform's id is used for the first time. A platform gives no id twice. */
  isFresh(external_id: string): boolean;
  /** The hash of a token or link token, by its number. */
  token(number: number): string;
  /** A new hash: no token is made twice. */
  mint(): string;
  /** Makes the number stand for this hash from now on. */
  keep(number: number, hash: string): void;
}

/** Link tokens are numbered apart from session tokens. */
const LINKS = 100;

const NOBODY = "00000000-0000-4000-8000-000000000000";
const ACTOR = "admin:model";
const daysBefore = (now: Date, days: number) => new Date(now.getTime() - days * 86_400_000);
const address = (n: number) => ({ to: `place ${n}` });
const nothing = async () => "nothing";

/** Makes a call of a store. */
export function perform(store: Store, seen: Seen, call: Call, now: Date): Promise<unknown> {
  const { conversations, sessions, operations, housekeeping, proofs, privacy } = store;
  const refOf = (of: Owner): SessionRef =>
    "token" in of ? { token_hash: seen.token(of.token) } : { session_id: seen.session(of.session) ?? NOBODY };
  const customerOf = (of: CallOf<"erase">["of"]) =>
    "customer_id" in of ? of : { session_id: seen.session(of.session) ?? NOBODY };
  const keeping =
    (number: number, hash: string) =>
    <T>(answer: T): T => {
      seen.keep(number, hash);
      return answer;
    };
  const optional = (token: number | undefined) =>
    token === undefined ? {} : { token_hash: seen.token(token) };
  switch (call.do) {
    case "receive":
      return conversations.receive(toWebhook(call, seen, refOf, now), now);
    case "complete": {
      const turn = seen.turn(call.nth);
      const replies = call.replies.map((parts) => ({
        content: { kind: "text" as const, text: parts.join(" ") },
        parts: parts.map((text) => ({
          kind: "text" as const,
          text,
          ...(text === "r3" && { outside: "hold" as const }),
          ...(text === "r2" && { outside: { call: { type: "template" }, billed: "utility" } }),
        })),
      }));
      return turn ? conversations.complete(turn, replies, now) : nothing();
    }
    case "fail": {
      const turn = seen.turn(call.nth);
      const retryAt = call.wait === undefined ? undefined : new Date(now.getTime() + call.wait);
      return turn
        ? conversations.fail(turn, { code: "unavailable", reason: call.reason }, retryAt, now)
        : nothing();
    }
    case "settle":
      return conversations.settle(toOutcomes(call, seen, now), now);
    case "due":
      return conversations.due(now, call.limit);
    case "start": {
      const { do: _, token, ...start } = call;
      return sessions.start({ ...start, token_hash: seen.token(token) }, now);
    }
    case "restore": {
      const { do: _, token, channel, ...who } = call;
      return sessions.restore({ token_hash: seen.token(token), ...who }, channel, now);
    }
    case "update": {
      const { do: _, of, ...changes } = call;
      return sessions.update(refOf(of), changes, now);
    }
    case "find": {
      const { who } = call;
      return sessions.find("session" in who ? { session_id: seen.session(who.session) ?? NOBODY } : who, now);
    }
    case "end":
      return sessions.end(seen.token(call.token), now);
    case "signOut":
      return sessions.signOut(seen.token(call.token), now);
    case "messages":
      return sessions.messages(refOf(call.of), seen.cursor(call.after), call.limit, now);
    case "expire":
      return housekeeping.expire(now, 1000);
    case "purge":
      return housekeeping.purge(
        daysBefore(now, call.days),
        1000,
        call.unseen === undefined ? undefined : { now, identities_before: daysBefore(now, call.unseen) },
      );
    case "deadLetters": {
      const of = call.session === undefined ? undefined : (seen.session(call.session) ?? NOBODY);
      return operations.deadLetters(undefined, 1000, of).then((dead) => ({ dead }));
    }
    case "metrics":
      return operations.metrics(now);
    case "retry":
      return operations.retry(seen.dead(call.nth) ?? NOBODY, { actor: "admin:test" }, now);
    case "requestCode": {
      const { phone, code, limits } = call;
      return proofs.requestCode({ phone, code_hash: hash(code), rate_limit_keys: limits }, now);
    }
    case "confirmCode": {
      const { phone, code, token, next, channel, merge } = call;
      const new_token_hash = seen.mint();
      const more = { ...optional(token), ...(merge !== undefined && { merge }) };
      const proof = { phone, code_hash: hash(code), new_token_hash, channel, ...more };
      return proofs.confirmCode(proof, now).then(keeping(next, new_token_hash));
    }
    case "createLink": {
      const { token, link, next } = call;
      const link_hash = seen.mint();
      const new_token_hash = seen.mint();
      return proofs
        .createLink({ token_hash: seen.token(token), link_hash, new_token_hash }, now)
        .then(keeping(LINKS + link, link_hash))
        .then(keeping(next, new_token_hash));
    }
    case "signUp":
      return proofs.signUp({ token_hash: seen.token(call.token), password: call.password }, now);
    case "logIn": {
      const { phone, password, token, next, channel } = call;
      const new_token_hash = seen.mint();
      const login = {
        phone,
        password,
        new_token_hash,
        channel,
        rate_limit_keys: ["ip:1"],
        ...optional(token),
      };
      return proofs.logIn(login, now).then(keeping(next, new_token_hash));
    }
    case "devices":
      return proofs.devices(refOf(call.of), now);
    case "revokeDevice":
      return proofs.revokeDevice(refOf(call.of), seen.device(call.nth) ?? NOBODY, now);
    case "unlink":
      return proofs.unlink(seen.token(call.token), call.kind, now);
    case "export":
      return exported(privacy.export(customerOf(call.of), undefined, 1000, ACTOR, now));
    case "erase":
      return privacy.erase(customerOf(call.of), ACTOR, now);
  }
}

/** Without the customer's fields, which only a database keeps. */
async function exported(page: Promise<ExportPage>): Promise<Omit<ExportPage, "customer">> {
  const { customer: _, ...rest } = await page;
  return rest;
}

function toOutcomes(call: CallOf<"settle">, seen: Seen, now: Date): Outcome[] {
  return call.outcomes.flatMap(({ nth, state, id, wait, reason }): Outcome[] => {
    const delivery = seen.delivery(nth);
    if (!delivery) return [];
    const { delivery_id, attempt, window_closes_at } = delivery;
    const failure = { code: "rejected", reason } as const;
    const retry_at = new Date(now.getTime() + wait);
    if (state === "dead") return [{ delivery_id, attempt, state, ...failure }];
    if (state === "pending") return [{ delivery_id, attempt, state, retry_at, ...failure }];
    if (state === "held") {
      const looked = { ...(window_closes_at && { seen: window_closes_at }), refused: id === 1 };
      return [{ delivery_id, attempt, state, until: retry_at, ...looked }];
    }
    const external_id = `s${id}`;
    return [{ delivery_id, attempt, state, ...(seen.isFresh(external_id) && { external_id }) }];
  });
}

function toWebhook(
  call: CallOf<"receive">,
  seen: Seen,
  refOf: (of: Owner) => SessionRef,
  now: Date,
): InboundEvent[] {
  const { from, b, change } = call;
  const identities = "identities" in from ? from.identities : undefined;
  const sender = identities ?? refOf(from as Owner);
  const events = call.items.flatMap((item) => {
    const isSecond = "b" in item && item.b;
    const one = toEvent(item, isSecond ? b : sender, seen, now);
    if (one?.type === "message" && call.claimed && !isSecond)
      return [{ ...one, message: { ...one.message, claimed: true } }];
    return one ?? [];
  });
  if (change && identities)
    events.push({ type: "identity_change", change: { channel: "whatsapp", from: identities, to: change } });
  return events;
}

function toEvent(item: Item, who: Identities | SessionRef, seen: Seen, now: Date): InboundEvent | undefined {
  const { channel } = item;
  const account = ACCOUNTS[channel];
  const at = { channel, ...(account !== undefined && { account }) };
  const person = "token_hash" in who || "session_id" in who ? undefined : who;
  switch (item.is) {
    case "message": {
      const { id, content, replyTo, link, wakes, window } = item;
      const message = {
        ...at,
        external_id: `m${id}`,
        from: who,
        address: address(item.address),
        content,
        wakes,
      };
      const more = {
        ...(window !== undefined && { window_closes_at: new Date(now.getTime() + window) }),
        ...(replyTo !== undefined && { reply_to: `m${replyTo}` }),
        ...(channel === "whatsapp" && person?.phone !== undefined && { address_of: "phone" as const }),
        ...(link !== undefined && person && { link_hash: seen.token(LINKS + link) }),
      };
      return { type: "message", message: { ...message, ...more } };
    }
    case "echo": {
      const content = { kind: "text", text: "echo" } as const;
      return person && { type: "echo", echo: { ...at, external_id: `m${item.id}`, to: person, content } };
    }
    case "receipt":
      return {
        type: "receipt",
        receipt: {
          ...at,
          external_id: item.id,
          status: item.status as "read",
          // One of the two ids is refused because its window was closed.
          ...(item.status === "failed" && item.id === "s1" && { window_ms: 300_000 }),
        },
      };
    case "edit": {
      const { id, content, ago, wakes } = item;
      const when = ago === undefined ? {} : { at: new Date(now.getTime() - ago) };
      return {
        type: "edit",
        edit: { ...at, external_id: `m${id}`, content, wakes, address: address(0), ...when },
      };
    }
    case "reachability":
      return (
        person && { type: "reachability", reachability: { channel, who: person, reachable: item.reachable } }
      );
  }
}
