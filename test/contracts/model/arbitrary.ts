import fc from "fast-check";
import type { Identities } from "../../../src/core/identity/identity.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Content } from "../../../src/core/messages/content.ts";
import type { CallOf, Item, Sender, Settlement } from "./calls.ts";

export const SECOND = 1000;
export const DAY = 86_400 * SECOND;

/** `fc.record`, where the keys of `maybe` may be missing. */
export function some<A extends object, B extends object>(
  always: { [K in keyof A]: fc.Arbitrary<A[K]> },
  maybe: { [K in keyof B]: fc.Arbitrary<B[K]> },
): fc.Arbitrary<A & Partial<B>> {
  const requiredKeys = Object.keys(always);
  return fc.record({ ...always, ...maybe } as never, { requiredKeys } as never) as fc.Arbitrary<
    A & Partial<B>
  >;
}

export const is = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);
export const nth = fc.nat({ max: 12 });
export const token = fc.nat({ max: 1 });
export const link = fc.constant(0);
export const id = fc.nat({ max: 4 });
export const channel = fc.constantFrom("telegram", "whatsapp", "web", "kiosk");
export const phone = fc.constantFrom("a-phone-0", "a-phone-1");
const platform = fc.constantFrom("telegram", "whatsapp");
const sentId = fc.nat({ max: 1 });

/** Few people with few identities each: so sessions merge often, and phones move between people. */
function person(world: string, count: number): fc.Arbitrary<Identities> {
  const kinds = ["phone", "telegram_chat_id", "whatsapp_user_id", "visitor_id", "email"];
  const number = fc.nat({ max: count - 1 });
  const some = (minLength: number, maxLength: number) =>
    fc
      .tuple(fc.subarray(kinds, { minLength, maxLength }), fc.tuple(number, number, number, number, number))
      .map(
        ([chosen, numbers]): Identities =>
          Object.fromEntries(chosen.map((kind, i) => [kind, `${world}-${kind}-${numbers[i]}`])),
      );
  return fc.oneof({ weight: 3, arbitrary: some(1, 1) }, { weight: 3, arbitrary: some(2, 2) }, some(3, 5));
}
export const anybody = person("a", 2);

const content: fc.Arbitrary<Content> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom("hi", "two", "Ü 👋").map((text) => ({ kind: "text" as const, text })),
  },
  fc.constant({ kind: "text" as const, text: "fwd", context: { forwarded: true } }),
  fc.constant({ kind: "image" as const, media: { id: "m", size: 12 }, caption: "cat" }),
  fc.constant({ kind: "reaction" as const, emoji: null }),
);

export const json: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom("cart", "a", "b", ""),
  fc.oneof(
    fc.constantFrom(null, true, 0, -1.5, "x"),
    fc.constant([1, null]),
    fc.dictionary(fc.constantFrom("a", "c"), fc.constantFrom(null, 1, "y"), { maxKeys: 2 }),
  ),
  { maxKeys: 3 },
);

const message: fc.Arbitrary<Item> = some(
  {
    is: is("message"),
    b: fc.boolean(),
    channel,
    id,
    content,
    wakes: fc.constantFrom(true, true, true, false),
    address: fc.constantFrom(0, 0, 1),
  },
  { replyTo: id, window: fc.constantFrom(30 * SECOND, 300 * SECOND, 86_400 * SECOND) },
);
/** Claimed phones come only on channels where frontends post. */
const typed: fc.Arbitrary<Item> = message.map((item) =>
  item.channel === "telegram" || item.channel === "whatsapp" ? { ...item, channel: "kiosk" } : item,
);
/** Links come only from messengers. */
const scan: fc.Arbitrary<Item> = fc.record({
  is: is("message"),
  b: fc.constant(false),
  channel: platform,
  id,
  content,
  link,
  wakes: fc.boolean(),
  address: fc.constant(0),
});
const echo: fc.Arbitrary<Item> = fc.record({ is: is("echo"), b: fc.boolean(), channel: platform, id });
const receipt: fc.Arbitrary<Item> = fc.record({
  is: is("receipt"),
  channel: platform,
  id: fc.oneof(
    { weight: 3, arbitrary: sentId.map((n) => `s${n}`) },
    { weight: 1, arbitrary: id.map((n) => `m${n}`) },
  ),
  status: fc.constantFrom("sent", "delivered", "read", "played", "failed"),
});
const edit: fc.Arbitrary<Item> = some(
  {
    is: is("edit"),
    channel: platform,
    id,
    content: fc.option(content, { nil: null, freq: 4 }),
    wakes: fc.boolean(),
  },
  { ago: fc.constantFrom(0, 500, 90 * SECOND) },
);
const reachability: fc.Arbitrary<Item> = fc.record({
  is: is("reachability"),
  b: fc.boolean(),
  channel,
  reachable: fc.boolean(),
});
const item = fc.oneof(
  { weight: 8, arbitrary: message },
  { weight: 2, arbitrary: scan },
  { weight: 1, arbitrary: echo },
  { weight: 5, arbitrary: receipt },
  { weight: 3, arbitrary: edit },
  { weight: 1, arbitrary: reachability },
);

const sender: fc.Arbitrary<Sender> = fc.oneof(
  { weight: 6, arbitrary: anybody.map((identities) => ({ identities })) },
  { weight: 1, arbitrary: token.map((token) => ({ token })) },
  { weight: 1, arbitrary: nth.map((session) => ({ session })) },
);
const webhook = {
  do: is("receive"),
  from: sender,
  b: person("b", 2),
  items: fc.oneof(
    { weight: 3, arbitrary: fc.array(item, { minLength: 1, maxLength: 1 }) },
    { weight: 2, arbitrary: fc.array(item, { minLength: 1, maxLength: 4, size: "max" }) },
  ),
};
const changed = fc.record({
  do: is("receive"),
  from: anybody.map((identities) => ({ identities })),
  b: person("b", 2),
  items: fc.array(item, { maxLength: 1 }),
  change: anybody,
});
const claimed = fc.record({
  do: is("receive"),
  from: phone.map((phone) => ({ identities: { phone } })),
  claimed: fc.constant(true),
  b: person("b", 2),
  items: fc.array(typed, { minLength: 1, maxLength: 1 }),
});
export const receive: fc.Arbitrary<CallOf<"receive">> = fc.oneof(
  { weight: 20, arbitrary: fc.record(webhook) },
  { weight: 1, arbitrary: changed },
  { weight: 2, arbitrary: claimed },
);

export const complete: fc.Arbitrary<CallOf<"complete">> = fc.record({
  do: is("complete"),
  nth: fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 5),
  replies: fc.array(fc.array(fc.constantFrom("r1", "r2", "r3"), { maxLength: 3 }), { maxLength: 3 }),
});

export const fail: fc.Arbitrary<CallOf<"fail">> = some(
  { do: is("fail"), nth: fc.constantFrom(0, 0, 0, 1, 3), reason: fc.constant("bot_timeout") },
  { wait: fc.constantFrom(0, 5 * SECOND, 120 * SECOND) },
);

const settlement: fc.Arbitrary<Settlement> = fc.record({
  nth: fc.constantFrom(0, 0, 0, 1, 1, 2, 4),
  state: fc.constantFrom("sent", "sent", "sent", "pending", "held", "held", "dead"),
  id: sentId,
  wait: fc.constantFrom(0, 300, 90 * SECOND),
  reason: fc.constantFrom("blocked", "131026"),
});
export const settle: fc.Arbitrary<CallOf<"settle">> = fc.record({
  do: is("settle"),
  outcomes: fc.array(settlement, { minLength: 1, maxLength: 3 }),
});
