import fc from "fast-check";
import { noticesIn } from "../../../src/core/identity/notices.ts";
import {
  anybody,
  channel,
  complete,
  DAY,
  fail,
  id,
  is,
  json,
  link,
  nth,
  phone,
  receive,
  SECOND,
  settle,
  some,
  token,
} from "./arbitrary.ts";
import type { Call, CallOf, Owner, Run, Step } from "./calls.ts";

const NOTICES = noticesIn("en");

const customer_id = fc.constantFrom("103", "104");
const start: fc.Arbitrary<CallOf<"start">> = fc.oneof(
  {
    weight: 6,
    arbitrary: some(
      {
        do: is("start"),
        identities: fc.oneof({ weight: 8, arbitrary: anybody }, fc.constant({})),
        channel,
        token,
      },
      { customer_id, data: json },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: is("start"),
      identities: phone.map((phone) => ({ phone })),
      claimed: fc.constant(true),
      channel: fc.constantFrom("kiosk", "web"),
      token,
    }),
  },
);
const restore: fc.Arbitrary<CallOf<"restore">> = fc.oneof(
  { weight: 5, arbitrary: some({ do: is("restore"), token }, { identities: anybody, customer_id, channel }) },
  {
    weight: 1,
    arbitrary: some(
      {
        do: is("restore"),
        token,
        identities: phone.map((phone) => ({ phone })),
        claimed: fc.constant(true),
      },
      { channel },
    ),
  },
);
const owner: fc.Arbitrary<Owner> = fc.oneof(
  token.map((token) => ({ token })),
  nth.map((session) => ({ session })),
);
const changes = {
  data: json,
  metadata: json,
  language: fc.constantFrom("de", "fr"),
  channel,
  customer_id,
  message: some(
    { text: fc.constant("typed"), role: fc.constantFrom("user", "assistant") },
    { external_id: id.map((n) => `m${n}`), author: fc.constant("key:web:0123abcd") },
  ),
};
const update: fc.Arbitrary<CallOf<"update">> = fc.oneof(
  { weight: 3, arbitrary: some({ do: is("update"), of: owner }, changes) },
  {
    weight: 1,
    arbitrary: some({ do: is("update"), of: owner, if_version: fc.integer({ min: 1, max: 3 }) }, changes),
  },
);
const customer = fc.oneof(
  { weight: 1, arbitrary: customer_id.map((customer_id) => ({ customer_id })) },
  { weight: 3, arbitrary: nth.map((session) => ({ session })) },
);
const code = fc.constantFrom(0, 0, 0, 1);
const password = fc.constantFrom("long enough", "long enough", "another one");

const weighted: readonly [number, fc.Arbitrary<Call>][] = [
  [16, receive],
  [8, complete],
  [2, fail],
  [8, settle],
  [3, fc.record({ do: is("due"), limit: fc.constantFrom(1, 3, 50) })],
  [3, start],
  [2, restore],
  [3, update],
  [1, fc.record({ do: fc.constantFrom("end", "signOut"), token })],
  [2, fc.record({ do: is("messages"), of: owner, after: nth, limit: fc.constantFrom(1, 3, 100) })],
  [1, fc.record({ do: is("expire") })],
  [0.5, some({ do: is("purge"), days: fc.constantFrom(0, 1, 8) }, { unseen: fc.constantFrom(0, 1, 8) })],
  [0.5, some({ do: is("deadLetters") }, { session: nth })],
  [0.5, fc.record({ do: is("metrics") })],
  [
    1,
    fc.record({
      do: is("find"),
      who: fc.oneof(
        { weight: 3, arbitrary: anybody.map((identities) => ({ identities })) },
        { weight: 1, arbitrary: customer_id.map((customer_id) => ({ customer_id })) },
        { weight: 1, arbitrary: nth.map((session) => ({ session })) },
      ),
    }),
  ],
  [1, fc.record({ do: is("retry"), nth })],
  [1, fc.record({ do: is("requestCode"), phone, code, limits: fc.subarray(["ip:1", "device:1"]) })],
  [2, some({ do: is("confirmCode"), phone, code, next: token, channel }, { token, merge: fc.boolean() })],
  [2, fc.record({ do: is("createLink"), token, link, next: token })],
  [1, fc.record({ do: is("devices"), of: owner })],
  [1, fc.record({ do: is("revokeDevice"), of: owner, nth })],
  [
    1,
    fc.record({
      do: is("unlink"),
      token,
      kind: fc.constantFrom("phone", "telegram_chat_id", "whatsapp_user_id", "visitor_id", "email"),
    }),
  ],
  [1, fc.record({ do: fc.constantFrom("export", "export", "export", "erase"), of: customer })],
  // bcrypt is slow.
  [
    0.5,
    fc.oneof(
      fc.record({ do: is("signUp"), token, password }),
      some({ do: is("logIn"), phone, password, next: token, channel }, { token }),
    ),
  ],
];
const call = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({
    weight: weight * 2,
    arbitrary: arbitrary as fc.Arbitrary<Call>,
  })),
);

const step: fc.Arbitrary<Step> = fc
  .tuple(
    call,
    fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(1, 20, 250, 4 * SECOND) },
      { weight: 4, arbitrary: fc.constantFrom(30 * SECOND, 61 * SECOND, 200 * SECOND) },
      { weight: 1, arbitrary: fc.constantFrom(DAY, 3.5 * DAY, 8 * DAY) },
    ),
  )
  .map(([call, after_ms]) => ({ ...call, after_ms }));

/** Any run: the settings of its stores, and about forty calls. The first two start sessions on devices. */
export const run: fc.Arbitrary<Run> = fc.record({
  settings: some(
    { history: fc.nat({ max: 3 }), sessionTtlMs: fc.constant(7 * DAY), leaseMs: fc.constant(60 * SECOND) },
    {
      batch: fc.boolean(),
      patienceMs: fc.constantFrom(0, 500, 5 * SECOND),
      pace: fc.constantFrom({ telegram: 4 }, { telegram: 2, whatsapp: 10 }),
      language: fc.constant("en"),
      kioskIdleMs: fc.constantFrom(60 * SECOND, DAY),
      notices: fc.constant(NOTICES),
    },
  ),
  steps: fc
    .tuple(start, start, fc.array(step, { maxLength: 80, size: "max" }))
    .map(([one, two, steps]) => [
      { ...one, token: 0, after_ms: 1 },
      { ...two, token: 1, after_ms: 1 },
      ...steps,
    ]),
});
