import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sha256Hex } from "../../src/core/signature.ts";
import type { Store } from "../../src/core/store.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { memoryFiles } from "../support/folder.ts";
import { aim, type Shot, shots } from "../support/fuzz.ts";
import { begin, post } from "../support/http.ts";
import { type Operation, operationsOf } from "../support/openapi.ts";
import {
  call,
  keys,
  onTelegram,
  onWhatsApp,
  type StrictHub,
  sharesPhone,
  strictHub,
} from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const SETTINGS = { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0, kioskIdleMs: 120_000 };
const PHONE = "+4915112340001";
const IN_A_ROW = 40;

let operations: Operation[];
let direct: PostgresCalls;
beforeAll(async () => {
  operations = await operationsOf(strictHub());
  direct = postgresCalls((await createDatabase()).url, { max: 4, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

const memory = () => memoryStore(SETTINGS);
const postgres = () => sqlStore(direct.call, SETTINGS);

/** The senders. Each gets what has been learnt so far. */
type Who = (seen: Seen) => Record<string, string>;

interface Seen {
  readonly hub: StrictHub;
  readonly tokens: string[];
  readonly sessions: string[];
  readonly devices: string[];
  /** The token of one who is signed in at the desk, where there is one. */
  readonly staff: string;
}

const last = (list: readonly string[], back: number) =>
  list.at(-1 - (back % Math.max(1, list.length))) ?? "hst_none";

/** Everybody except the victim and holders of a trusted key. */
const STRANGERS: Who[] = [
  () => ({}),
  ({ tokens }) => ({ authorization: `Bearer ${last(tokens, 0)}` }),
  ({ tokens }) => ({ authorization: `Bearer ${last(tokens, 0)}` }),
  ({ tokens }) => ({ "x-session-token": last(tokens, 1) }),
  ({ tokens }) => ({ "x-session-token": last(tokens, 2) }),
  () => keys.kiosk,
  ({ tokens }) => ({ ...keys.kiosk, "x-session-token": last(tokens, 0) }),
  () => ({ "x-api-key": "guess" }),
  () => ({ authorization: "Basic aHN0OmhzdA==" }),
];

/** Senders with nearly all rights: for them only failures count. */
const INSIDERS: Who[] = [
  () => keys.web,
  () => keys.admin,
  () => keys.admin,
  () => keys.admin,
  ({ tokens }) => ({ ...keys.web, "x-session-token": last(tokens, 0) }),
  () => ({ "x-platform": "1" }),
  () => ({ "x-platform": "1" }),
  ({ staff }) => ({ authorization: `Bearer ${staff}` }),
  ({ staff }) => ({ authorization: `Bearer ${staff}` }),
];

interface Played {
  requests: number;
  /** How often each `METHOD path status` came. */
  readonly answers: Map<string, number>;
}

interface Plan {
  /** Random requests per hub. */
  readonly rows: number;
  /** Whether an answer may hold another customer's words. */
  readonly mayKnow?: boolean;
  /** The one operation to call. Absent: all of them. */
  readonly only?: Operation;
}

/** Sends random requests, a number of them to each of many hubs, and checks every answer. */
async function play(
  store: () => Store,
  who: readonly Who[],
  { rows, mayKnow = false, only }: Plan,
): Promise<Played> {
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const targets = mayKnow
    ? operations
    : [...operations, ...operations.filter(isOpen), ...operations.filter(isOpen)];
  const all = shots(targets.length, rows * IN_A_ROW, seed);
  const played: Played = { requests: 0, answers: new Map() };
  try {
    for (let row = 0; row < rows; row++) {
      const world = await worldOf(store, row);
      for (const shot of all.slice(row * IN_A_ROW, (row + 1) * IN_A_ROW))
        await shoot(world, only ?? targets[shot.operation]!, shot, who, mayKnow, played);
      await ended("work in the background", () => world.seen.hub.idle());
      if (mayKnow) continue;
      const { status, body } = await call(world.seen.hub, "/session/restore", {
        headers: world.victim.bearer,
      });
      expect([status, body.session?.data.cart]).toEqual([200, ["CANARY"]]);
    }
  } catch (cause) {
    throw new Error(`FUZZ_SEED=${seed}, request ${played.requests}: ${(cause as Error).message}`, { cause });
  }
  return played;
}

/** A request that never ends would stop the test without a name. */
async function ended<T>(what: string, work: () => Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end of ${what} within a minute`)), 60_000);
  });
  return Promise.race([work(), late]).finally(() => clearTimeout(timer));
}

/** A hub with a victim, whose ids are known to all, and an attacker. */
async function worldOf(store: () => Store, row: number) {
  const media = { links: mediaLinks([], undefined), maxBytes: 1_000_000, storage: memoryFiles() };
  const hub = strictHub({}, { store: store(), media });
  hub.clock.now = new Date(hub.clock.now.getTime() + row * 30 * 86_400_000);
  if (row % 2 === 0) {
    await onTelegram(hub, 11, "CANARY");
    await sharesPhone(hub, 11, PHONE);
  } else await onWhatsApp(hub, PHONE, "CANARY");
  const start = { phone: PHONE, channel: "web", customer_id: "103", data: { cart: ["CANARY"] } };
  const victim = await begin(hub, start, keys.web);
  await call(hub, "/webhooks/web", post({ external_id: "v1", text: "CANARY" }, victim.bearer));
  await call(hub, "/auth/signup", post({ password: "the CANARY's own password" }, victim.bearer));
  const thread = { ...post({ user_id: "103", data: { note: "CANARY" } }, keys.web), method: "PUT" };
  await call(hub, "/api/threads/web", thread);
  // A store without a database refuses these two.
  const order = {
    order_id: "A-1",
    amount: "1.00",
    currency: "EUR",
    items: [{ name: "CANARY", quantity: 1 }],
  };
  await call(hub, "/api/orders", post({ ...order, customer_id: "103" }, keys.web));
  const table = { name: "CANARY", datetime: "2026-12-01T19:00:00Z", guests: 2, customer_id: "103" };
  await call(hub, "/api/reservations", post(table, keys.web));
  const { body } = await call(hub, "/session/devices", { headers: victim.bearer });
  const attacker = await begin(hub, { channel: "web" });
  const staff = `hsu_${crypto.randomUUID()}`;
  const { features } = hub.hub.store;
  if (features) {
    const email = `${staff.slice(4)}@shop.example`;
    await features.staff.add({ actor: "test" }, { email, name: "Ana", role: "admin" }, hub.clock.now);
    await features.staff.signIn({ email }, await sha256Hex(staff), hub.clock.now);
  }
  const seen: Seen = { hub, tokens: [attacker.token], sessions: [attacker.id], devices: [], staff };
  return { victim, device: body.devices[0].device_id as string, seen };
}

async function shoot(
  { victim, device, seen }: Awaited<ReturnType<typeof worldOf>>,
  operation: Operation,
  shot: Shot,
  who: readonly Who[],
  mayKnow: boolean,
  played: Played,
) {
  const targets = {
    victim: victim.id,
    device,
    mine: () => last(seen.sessions, 0),
    own: () => last(seen.devices, 0),
  };
  const [path, init] = await aim(shot, operation, targets, who[shot.who % who.length]!(seen));
  const sent = () => ({ path, method: init.method, headers: init.headers, body: bodyText(init) });
  const [response, text] = await ended(`an answer to ${JSON.stringify(sent())}`, async () => {
    const answer = await seen.hub.request(path, init);
    return [answer, await answer.text()] as const;
  });
  played.requests++;
  const key = `${init.method} ${operation.path} ${response.status}`;
  played.answers.set(key, (played.answers.get(key) ?? 0) + 1);
  if (response.status >= 500 && !(response.status === 501 && !seen.hub.hub.store.features))
    expect.fail(`${response.status} ${text} ${JSON.stringify(sent())} ${why(seen.hub)}`);
  if (!mayKnow && /CANARY/.test(text + [...response.headers].flat().join("\n")))
    expect.fail(`another customer's words: ${text} ${JSON.stringify(sent())}`);
  learn(text, seen, victim.token);
}

/** Collects tokens, sessions and devices from an answer for later requests. */
function learn(text: string, { tokens, sessions, devices }: Seen, victims: string): void {
  for (const [token] of text.matchAll(/hst_[\w-]{43}/g)) if (token !== victims) tokens.push(token);
  const session_id = /"session":\{"session_id":"([0-9a-f-]{36})"/.exec(text)?.[1];
  if (session_id) sessions.push(session_id);
  for (const [, device_id] of text.matchAll(/"device_id":"([0-9a-f-]{36})"/g)) devices.push(device_id!);
}

function bodyText({ body }: RequestInit): string | undefined {
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : undefined;
}

function why({ lines }: StrictHub): string {
  return JSON.stringify(lines.filter(({ level }) => level === "error").slice(-2));
}

/** Operations without any successful request: there the fuzzer would test nothing. 501 of a store without them counts. */
function unreached({ answers }: Played, expected: readonly string[]): string[] {
  const reached = [...answers.keys()]
    .filter((key) => / (2\d\d|501)$/.test(key))
    .map((key) => key.replace(/ \d+$/, ""));
  return expected.filter((name) => !reached.includes(name));
}

/** Those of the unreached operations that stay so when they alone are called. */
async function closedOf(played: Played, expected: readonly string[], who: readonly Who[], mayKnow = false) {
  const closed: string[] = [];
  for (const name of unreached(played, expected)) {
    const more = await play(memory, who, { rows: 60, mayKnow, only: operations[names().indexOf(name)]! });
    if (unreached(more, [name]).length > 0) closed.push(name);
  }
  return closed;
}

const names = () => operations.map(({ method, path }) => `${method} ${path}`);
/** Strangers call these more often: other routes refuse them before the request is read. */
const isOpen = ({ method, path }: Operation) => !forInsiders(`${method} ${path}`);
const forInsiders = (name: string) => /\/api\/|\/metrics|\/webhooks\/(telegram|whatsapp)/.test(name);
/** A WebSocket, routes that need an unknown secret, and a handshake that is not made here. */
const CLOSED = ["GET /session/live", "POST /auth/password", "GET /webhooks/{channel}"];

describe("over memory", () => {
  test("20,000 requests of strangers cause no failure and show nothing of another customer", async () => {
    const played = await play(memory, STRANGERS, { rows: 20_000 / IN_A_ROW });
    expect(played.requests).toBeGreaterThanOrEqual(20_000);
    const expected = names().filter(
      (name) => !forInsiders(name) && ![...CLOSED, "POST /auth/signup", "POST /auth/login"].includes(name),
    );
    expect(await closedOf(played, expected, STRANGERS)).toEqual([]);
  }, 600_000);

  test("6,000 requests of operators, trusted systems and platforms cause no failure", async () => {
    const played = await play(memory, INSIDERS, { rows: 150, mayKnow: true });
    expect(played.requests).toBeGreaterThanOrEqual(6_000);
    const expected = names().filter(
      (name) => forInsiders(name) && !/retry|devices/.test(name) && !CLOSED.includes(name),
    );
    expect(await closedOf(played, expected, INSIDERS, true)).toEqual([]);
  }, 600_000);
});

describe("over Postgres", () => {
  test("2,000 requests of strangers cause no failure and show nothing of another customer", async () => {
    expect((await play(postgres, STRANGERS, { rows: 50 })).requests).toBeGreaterThanOrEqual(2_000);
  }, 600_000);

  test("1,000 requests of operators, trusted systems and platforms cause no failure", async () => {
    expect((await play(postgres, INSIDERS, { rows: 25, mayKnow: true })).requests).toBeGreaterThanOrEqual(
      1_000,
    );
  }, 600_000);
});

test("the fuzzer finds a removed guard", async () => {
  const open = () => {
    const store = memory();
    const { restore } = store.sessions;
    // As if any token opened the first session there is.
    store.sessions.restore = async (who, channel, now) => {
      try {
        return await restore(who, channel, now);
      } catch {
        return restore({ token_hash: who.token_hash, identities: { phone: PHONE } }, channel, now);
      }
    };
    return store;
  };
  await expect(play(open, STRANGERS, { rows: 60 })).rejects.toThrow(/another customer's words/);
});
