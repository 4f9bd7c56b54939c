import fc from "fast-check";
import { hmacHex } from "../../src/core/signature.ts";
import { fixturesWith, type RequestFixture } from "./fixtures.ts";
import { ENV } from "./http.ts";
import { type Operation, sample } from "./openapi.ts";

/** One random request: its operation, its credentials, and the changes to its body, query and headers. */
export interface Shot {
  readonly operation: number;
  readonly method: string | undefined;
  readonly who: number;
  readonly pick: number;
  readonly named: Readonly<Record<string, unknown>>;
  /** The fields that mean something else for one path, by path. */
  readonly special: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Which optional fields it has, as bits: 53 at most. */
  readonly drop: number;
  readonly changes: readonly Change[];
  readonly cut: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/** One node of the body, and its replacement; `undefined` removes it. */
interface Change {
  readonly at: number;
  readonly value: unknown;
}

const poison = fc.constantFrom<unknown>(
  "' or 1=1 --",
  "\u0000",
  "\ud800",
  "{}",
  "%00",
  "../..",
  "\r\nX: y",
  "hst_",
  "x".repeat(3_000),
  -1,
  1e308,
  -0,
  2 ** 53,
  0.1,
  true,
  null,
  [],
  {},
  [[[[[[]]]]]],
  { __proto__: null, constructor: { prototype: { polluted: true } } },
);
const odd = fc.oneof(poison, fc.string({ unit: "binary", maxLength: 40 }), fc.jsonValue({ maxDepth: 3 }));
const word = fc.oneof(
  fc.constantFrom("", "0", "1", "-1", "true", "null", "kiosk", "web", "%", "+49151", "a,b", "1e9", "∞"),
  fc.string({ maxLength: 30 }),
);
/** The characters that a header may hold. */
const latin = fc.stringMatching(/^[\x20-\x7e]{0,60}$/).map((text) => text.trim());

/** The value once in `times` draws; otherwise undefined. */
function rarely<T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** A value for a field, mostly one of `good`. */
function meaning(...good: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 8, arbitrary: fc.constantFrom<unknown>(...good) }, { weight: 1, arbitrary: odd });
}

const PHONES = ["+4915112340001", "+4915112340066", "+4915112340077", "015112340088", "12"];
const named = fc.record({
  phone: meaning(...PHONES),
  telegram_chat_id: meaning("11", "66", 77),
  customer_id: meaning("103", 104),
  channel: meaning("web", "kiosk", "telegram", "whatsapp"),
  code: meaning("000000", "123456"),
  password: meaning("a guessed password", "correct horse battery", "x"),
  new_password: meaning("another password!", "correct horse battery"),
  external_id: meaning("e1", "e2", "v1"),
  text: meaning("Hello", "/start link_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
  session: meaning("{victim}", "{mine}", "00000000-0000-4000-8000-000000000000"),
  id: meaning("{victim}", "{mine}", "00000000-0000-4000-8000-000000000000", "103"),
  device_id: meaning("{device}", "{own}", "{own}", "00000000-0000-4000-8000-000000000000"),
  thread_id: meaning("web", "t1", "a b"),
  user_id: meaning("103", 104),
  name: meaning("Anna Berg", null),
  email: meaning("anna@example.com", null),
  into: meaning("103", "104"),
  ttl_hours: meaning(1, 0.5, null),
  kind: meaning("phone", "telegram_chat_id", "visitor_id"),
  language: meaning("de", "pt-BR"),
  data: meaning({ cart: { tea: 1 } }, { a: null }),
  metadata: meaning({ page: "/" }),
  reply_to: meaning("e1", "v1"),
  after: meaning("0", "1", "999999999999", "00000000-0000-4000-8000-000000000000"),
  limit: meaning("1", "50", "200", "0"),
  rating: meaning(1, 5, 6),
  feedback: meaning("fine", null),
  summary: meaning("two tickets"),
  message: meaning("Hello", { text: "Hello", role: "assistant", external_id: "u1" }),
  datetime: meaning("2026-12-01T19:00:00+01:00", "2026-12-01T19:00:00", "0000-01-01T00:00:00Z"),
  timezone: meaning("Europe/Berlin", "+01:00"),
  guests: meaning(4, 1_000, 1_001),
  notes: meaning("window", null),
  google_calendar_event_id: meaning("g1", null),
  order_id: meaning("A-1", "A-2", "a b"),
  payment_intent_id: meaning("pi_1", null),
  amount: meaning("12.50", 12.5, "999999999999999.99", "12.505"),
  currency: meaning("EUR", "JPY", "XXX"),
  items: meaning([{ sku: "tea", quantity: 1 }], []),
  status: meaning("booked", "seated", "pending", "paid", "cancelled", "active"),
  session_id: meaning("{victim}", "{mine}"),
  from: meaning("2026-11-01", "2026-12-01T00:00:00Z"),
  to: meaning("2026-12-31", null),
  until: meaning(null, "2026-12-01T09:00:00Z", "soon"),
  typing: meaning(true, false),
  replies: meaning([{ kind: "text", text: "Hello" }], [{ kind: "typing" }], []),
  role: meaning("agent", "admin"),
  view: meaning("mine", "unassigned", "waiting", "held", "snoozed", "all"),
  shortcut: meaning("hello", "a b"),
  letter_id: meaning("00000000-0000-4000-8000-000000000000"),
  note_id: meaning("00000000-0000-4000-8000-000000000000"),
  mentions: meaning([], ["00000000-0000-4000-8000-000000000000"]),
  seen: meaning(0, 2 ** 53),
  before: meaning("1", "9999999999999999"),
  url: meaning("https://shop.example/events", "http://127.0.0.1/", "https://[::1]/", "javascript:x"),
  types: meaning(["message.received"], ["rating.given"], []),
  enabled: meaning(true, false),
  title: meaning("Opening hours", ""),
  token: meaning("hcf_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
  q: meaning("Hello", "CANARY", "CAN", '"Hello', "-x or Hel"),
  table: meaning("messages", "customers", "threads", "audit", "session_tokens"),
  format: meaning("ndjson", "csv", "markdown", "text", "xml"),
  by: meaning("hour", "day", "channel", "language"),
  tz: meaning("Asia/Kathmandu", "UTC", "+05:30"),
  plan: meaning("basic", "premium", "gold"),
  tag: meaning("vip", "'"),
  last_seen_before: meaning("2026-12-01", "2026-12-01T00:00:00Z", "soon"),
  orders_min: meaning("1", "0", "2"),
  action: meaning("pause", "resume", "cancel"),
  opted_out: meaning(true, false),
  emoji: meaning("👍", "x"),
  purpose: meaning("service", "marketing"),
  idempotency_key: meaning("k1", "k2", "a b"),
});

const replies = meaning(
  { kind: "text", text: "Hello" },
  { kind: "buttons", text: "Which?", buttons: [{ id: "a", title: "A" }] },
  { kind: "template", name: "hello", language: "en" },
  { kind: "reaction", message_id: "00000000-0000-4000-8000-000000000000", emoji: "👍" },
);
/** Every request to one of these paths has all of its fields, in place of those above. */
const special: fc.Arbitrary<Shot["special"]> = fc.record({
  "/api/messages": fc.record({
    to: meaning(
      { customer_id: "103" },
      { phone: PHONES[0] },
      { phone: PHONES[4] },
      { telegram_chat_id: "66" },
      { session_id: "{victim}" },
    ),
    channel: meaning("best", "telegram", "whatsapp"),
    content: replies,
  }),
  "/api/campaigns": fc.record({
    customers: meaning(["103"], ["103", "104", "103"], ["nobody"], []),
    channel: meaning("best", "telegram", "whatsapp"),
    content: fc.record({ de: replies, "pt-BR": replies }),
    language: meaning("de", "pt-BR", "fr"),
  }),
  "/api/endpoints/{id}/replay": fc.record({
    from: meaning("2026-11-01T00:00:00Z", "2026-11-01"),
    to: meaning("2026-12-31T00:00:00Z", null),
  }),
});

/** The fields that every request has. It has each other field in about half of all cases. */
const ALWAYS = [
  "channel",
  "external_id",
  "id",
  "device_id",
  "kind",
  "password",
  "thread_id",
  "into",
  "q",
  "name",
  "datetime",
  "guests",
  "amount",
  "currency",
  "items",
  "url",
  "types",
  "table",
  "title",
  "to",
  "until",
  "typing",
  "replies",
  "letter_id",
  "note_id",
  "action",
  "opted_out",
  "emoji",
  "idempotency_key",
];
const isAlways = (name: string) => ALWAYS.includes(name);

/** `count` random requests, each to one of `operations` operations. The same seed gives the same requests. */
export function shots(operations: number, count: number, seed: number): Shot[] {
  return fc.sample(shot(operations), { numRuns: count, seed });
}

function shot(operations: number): fc.Arbitrary<Shot> {
  return fc.record({
    operation: fc.noBias(fc.nat(operations - 1)),
    method: rarely(30, fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD")),
    who: fc.noBias(fc.nat(999)),
    pick: fc.nat(30),
    named,
    special,
    drop: fc.noBias(fc.maxSafeNat()),
    changes: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      {
        weight: 4,
        arbitrary: fc.array(fc.record({ at: fc.nat(60), value: fc.option(odd, { nil: undefined }) }), {
          minLength: 1,
          maxLength: 3,
        }),
      },
    ),
    cut: rarely(20, fc.nat(400)),
    headers: fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      {
        weight: 1,
        arbitrary: fc.dictionary(
          fc.constantFrom(
            "if-match",
            "origin",
            "x-request-id",
            "content-type",
            "x-forwarded-for",
            "cookie",
            "accept",
          ),
          latin,
          { maxKeys: 3 },
        ),
      },
    ),
    query: fc.oneof(
      { weight: 5, arbitrary: fc.constant({}) },
      {
        weight: 1,
        arbitrary: fc.dictionary(
          fc.constantFrom("after", "limit", "phone", "channel", "a[]", "__proto__"),
          word,
          {
            maxKeys: 3,
          },
        ),
      },
    ),
  });
}

/** The data of a hub that a random request may name. */
export interface Targets {
  readonly victim: string;
  readonly device: string;
  readonly mine: () => string;
  /** A device of the attacker's own session. */
  readonly own: () => string;
}

/** Makes the request. */
export async function aim(
  shot: Shot,
  operation: Operation,
  targets: Targets,
  credentials: Record<string, string>,
): Promise<[string, RequestInit]> {
  const optional = Object.keys(shot.named).filter((name) => !isAlways(name));
  const isDrawn = (name: string) => Math.floor(shot.drop / 2 ** optional.indexOf(name)) % 2 === 1;
  const drawn = Object.entries(shot.named).filter(([name]) => isAlways(name) || isDrawn(name));
  const aimed = Object.fromEntries(
    [...drawn, ...Object.entries(shot.special[operation.path] ?? {})].map(([name, value]) => [
      name,
      aimAt(value, targets),
    ]),
  );
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => encode(aimed[name] ?? "web"));
  const query = new URLSearchParams(shot.query);
  for (const { name, in: place } of operation.parameters)
    if (place === "query" && name in aimed && !query.has(name)) query.set(name, plain(aimed[name]));
  const method = shot.method ?? operation.method;
  const body = ["GET", "HEAD"].includes(method) ? undefined : bodyOf(shot, operation, aimed);
  return [
    query.size > 0 ? `${path}?${query}` : path,
    {
      method,
      headers: {
        "content-type": "application/json",
        ...credentials,
        ...(await signed(operation.path, body, credentials)),
        ...shot.headers,
      },
      ...(body !== undefined && { body: body as BodyInit }),
    },
  ];
}

function bodyOf(shot: Shot, { body: schema, path }: Operation, aimed: Record<string, unknown>) {
  if (!schema) return undefined;
  const channel = /^\/webhooks\/(telegram|whatsapp)$/.exec(path)?.[1];
  let value = channel ? fixture(channel, shot.pick) : ownWords(sample(schema, aimed, shot.pick), aimed);
  for (const change of shot.changes) value = changed(value, change);
  const text = JSON.stringify(value) ?? "";
  return new TextEncoder().encode(shot.cut === undefined ? text : text.slice(0, shot.cut));
}

/** Keeps only the drawn fields: one of `text` and `content`, and some of the optional ones. */
function ownWords(value: unknown, aimed: Record<string, unknown>): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => name in aimed || (name === "content" && !("text" in aimed))),
  );
}

function changed(value: unknown, { at, value: put }: Change): unknown {
  const root = { root: structuredClone(value) };
  const places: [Record<string, unknown>, string][] = [];
  const visit = (parent: Record<string, unknown>, key: string) => {
    places.push([parent, key]);
    const child = parent[key];
    if (child !== null && typeof child === "object")
      for (const name of Object.keys(child)) visit(child as Record<string, unknown>, name);
  };
  visit(root, "root");
  const [parent, key] = places[at % places.length]!;
  if (put === undefined && parent !== root) delete parent[key];
  else parent[key] = put ?? null;
  return root.root;
}

const fixtures = new Map<string, unknown[]>();

function fixture(channel: string, pick: number): unknown {
  let bodies = fixtures.get(channel);
  if (!bodies) {
    bodies = fixturesWith<RequestFixture>(channel, "request").map(([, { request }]) => request.body ?? {});
    fixtures.set(channel, bodies);
  }
  return bodies[(pick * 7) % bodies.length];
}

/** The platform's signature headers, if the request is a platform's webhook. */
async function signed(path: string, body: Uint8Array | undefined, credentials: Record<string, string>) {
  if (!("x-platform" in credentials)) return {};
  if (path === "/webhooks/telegram")
    return { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };
  const hex = await hmacHex(ENV.WHATSAPP_APP_SECRET, body ?? new Uint8Array());
  return { "x-hub-signature-256": `sha256=${hex}` };
}

function aimAt(value: unknown, targets: Targets): unknown {
  const { victim, device, mine, own } = targets;
  if (value !== null && typeof value === "object" && "session_id" in value)
    return { ...value, session_id: aimAt(value.session_id, targets) };
  if (value === "{victim}") return victim;
  if (value === "{own}") return own();
  if (value === "{device}") return device;
  return value === "{mine}" ? mine() : value;
}

function plain(value: unknown): string {
  return (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 2_000).toWellFormed();
}

function encode(value: unknown): string {
  return encodeURIComponent(plain(value)) || "x";
}
