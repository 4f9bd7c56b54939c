import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { sign } from "hono/jwt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../src/core/answer/turn.ts";
import { openingHours } from "../../src/core/handoff/opening-hours.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import { textIn } from "../../src/core/texts/text-in.ts";
import { featuresOf } from "../../src/features/features.ts";
import { mediaLinks } from "../../src/features/media/links.ts";
import { localSignIn } from "../../src/features/staff/local-sign-in.ts";
import { supabaseSignIn } from "../../src/features/staff/supabase-sign-in.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { memoryFiles } from "../support/folder.ts";
import { begin, post, testHub } from "../support/http.ts";
import { keys, onWhatsApp, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const PASSWORD = "desk-password";
const DAY_MS = 86_400_000;
let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 6, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

let people = 0;
/** Tests share a database: each has people of its own. */
const somebody = () => {
  const n = String(++people).padStart(4, "0");
  return { phone: `+491511888${n}`, email: `staff${n}@shop.example`, name: `Staff ${n}` };
};
const shop = (parts: Parameters<typeof strictHub>[1] = {}, options: Parameters<typeof strictHub>[0] = {}) =>
  strictHub(
    { signIn: localSignIn(PASSWORD), ...options },
    { store: sqlStore(direct.call, { ...settings, history: 0 }), desk: { words: true }, ...parts },
  );
type Shop = ReturnType<typeof shop>;

const ask = async (hub: Pick<Shop, "request">, path: string, init?: RequestInit) => {
  const answer = await hub.request(path, init);
  const body: any = await answer.json();
  return {
    status: answer.status,
    body,
    code: body.error?.code as string | undefined,
    headers: answer.headers,
  };
};

/** Adds a user and signs them in. */
async function staff(hub: Shop, role: "agent" | "admin" = "agent") {
  const { email, name } = somebody();
  const made = await ask(hub, "/api/users", post({ email, name, role }, keys.admin));
  expect(made.status).toBe(201);
  const { status, body } = await ask(hub, "/api/staff/sign-in", post({ email, password: PASSWORD }));
  expect(status).toBe(200);
  const bearer = { authorization: `Bearer ${body.staff_token}` };
  return {
    email,
    name,
    id: made.body.user_id as string,
    bearer,
    get: (path: string) => ask(hub, path, { headers: bearer }),
    post: (path: string, value: unknown = {}, headers = {}) =>
      ask(hub, path, post(value, { ...bearer, ...headers })),
    send: (method: string, path: string, value?: unknown) =>
      ask(hub, path, { ...(value === undefined ? { headers: bearer } : post(value, bearer)), method }),
  };
}

/** A visitor of the web chat who has written once. */
async function visitor(hub: Shop) {
  const { phone } = somebody();
  const one = await begin(hub, { channel: "web", phone }, keys.web);
  let n = 0;
  const say = async (text: string, query = "") => {
    const answer = await ask(
      hub,
      `/webhooks/web${query}`,
      post({ external_id: `${phone}-${++n}`, text }, one.bearer),
    );
    await hub.idle();
    return answer;
  };
  const texts = async () => {
    const { body } = await ask(hub, "/session/messages?limit=200", { headers: one.bearer });
    return body.messages.map((message: any) => `${message.role}: ${message.text}`) as string[];
  };
  const key = async () => {
    const { body } = await ask(hub, `/api/customers?phone=${encodeURIComponent(phone)}`, {
      headers: keys.admin,
    });
    return body.customers[0].customer_key as string;
  };
  return { ...one, phone, say, texts, key };
}

describe("the desk", () => {
  test("a customer asks for a person by a word, an agent answers, closes, and the bot goes on", async () => {
    const hub = shop();
    const ana = await staff(hub);
    const anna = await visitor(hub);
    await anna.say("Hello");
    await anna.say("Agent!");
    expect(await anna.texts()).toEqual([
      "user: Hello",
      'assistant: You said "Hello" on web. This session has seen: web.',
      "user: Agent!",
      `assistant: ${textIn("en", "person_asked")}`,
    ]);
    const began = Date.now();
    const waited = await anna.say("Are you there?", "?wait=20");
    expect(waited.body).toMatchObject({ replies: [], turn: null, session: { holder: "waiting" } });
    expect(Date.now() - began).toBeLessThan(5_000);
    const { body: list } = await ana.get("/api/conversations?view=unassigned");
    const key = await anna.key();
    expect(list.conversations.find((one: any) => one.customer_key === key)).toMatchObject({
      holder: "waiting",
      unread: 2,
      handoff: { requested_by: "customer", reason: "asked" },
    });
    const taken = await ana.post(`/api/conversations/${key}/take`);
    expect(taken.body).toMatchObject({ holder: "person", user: { user_id: ana.id } });
    const sent = await ana.post(
      `/api/conversations/${key}/messages`,
      {
        replies: [
          { kind: "text", text: "Here I am" },
          { kind: "buttons", text: "Which?", buttons: [{ id: "a", title: "A" }] },
        ],
      },
      { "idempotency-key": `once-${key}` },
    );
    expect(sent.status).toBe(200);
    expect(sent.body.messages).toMatchObject([
      { role: "operator", author: `user:${ana.id}`, text: "Here I am", status: "sent" },
      { role: "operator", kind: "buttons" },
    ]);
    const { body: thread } = await ana.get(`/api/conversations/${key}/messages`);
    expect(thread.messages).toHaveLength(7);
    expect((await ana.post(`/api/conversations/${key}/close`)).body.holder).toBe("bot");
    await anna.say("Thanks");
    expect((await anna.texts()).at(-1)).toMatch(/^assistant: You said "Thanks"/);
  });

  test("words are off where the setting says so, and the message is the bot's", async () => {
    const hub = shop({ desk: { words: false } });
    const anna = await visitor(hub);
    await anna.say("agent");
    expect((await anna.texts()).at(-1)).toMatch(/^assistant: You said "agent"/);
  });

  test.each([
    ["en", "a human"],
    ["hi", "इंसान"],
    ["es", "¿humano?"],
    ["ar", "إنسان"],
    ["pt", "Falar com uma pessoa"],
    ["fr", "conseillère"],
    ["id", "Manusia"],
  ])("the words of %s ask for a person: %s", async (_language, word) => {
    const hub = shop();
    const anna = await visitor(hub);
    const { body } = await anna.say(word);
    expect(body.session.holder).toBe("bot");
    expect((await ask(hub, "/session/restore", post({}, anna.bearer))).body.session.holder).toBe("waiting");
  });

  test("outside of the opening hours the customer is told when somebody is there", async () => {
    const hours = openingHours("Mo-Fr 09:00-18:00", "Europe/Berlin");
    const hub = shop({ desk: { words: true, hours } });
    const anna = await visitor(hub);
    // A Monday, 11:00 in Berlin.
    await anna.say("agent");
    expect((await anna.texts()).at(-1)).toBe(`assistant: ${textIn("en", "person_asked")}`);
    hub.clock.now = new Date("2026-11-06T17:30:00Z"); // Friday, 18:30
    const ben = await visitor(hub);
    await ben.say("human");
    expect((await ben.texts()).at(-1)).toMatch(/^assistant: Nobody is here .* Monday.* 9:00/);
    const own = shop({ desk: { words: true, hours, awayMessage: "We sleep." } });
    own.clock.now = hub.clock.now;
    const cleo = await visitor(own);
    await cleo.say("human");
    expect((await cleo.texts()).at(-1)).toBe("assistant: We sleep.");
  });

  test("the bot answers while an operator takes over: nothing of it is shown, and nobody is asked twice", async () => {
    let release = () => {};
    const asked: string[] = [];
    const bot = {
      history: 0,
      async reply({ message }: Turn) {
        asked.push(message.text);
        await new Promise<void>((go) => {
          release = go;
        });
        return [{ kind: "text" as const, text: "late" }];
      },
    };
    const hub = shop({ bot });
    const ana = await staff(hub);
    const anna = await visitor(hub);
    const said = ask(hub, "/webhooks/web?wait=10", post({ external_id: "slow", text: "Hello" }, anna.bearer));
    while (asked.length === 0) await new Promise((go) => setTimeout(go, 10));
    const key = await anna.key();
    expect((await ana.post(`/api/conversations/${key}/take`)).status).toBe(200);
    release();
    expect((await said).body).toMatchObject({ replies: [], turn: null });
    await hub.idle();
    expect(await anna.texts()).toEqual(["user: Hello"]);
    expect(hub.lines.find(({ event }) => event === "turn")?.fields).toMatchObject({ outcome: "stale" });
    // Given back: the bot is asked the same again, once.
    const back = await ana.post(`/api/conversations/${key}/give-back`);
    expect(back.body.holder).toBe("bot");
    while (asked.length === 1) await new Promise((go) => setTimeout(go, 10));
    release();
    await hub.idle();
    expect(await anna.texts()).toEqual(["user: Hello", "assistant: late"]);
    expect(asked).toEqual(["Hello", "Hello"]);
  });

  test("an answer goes out on WhatsApp through the outbox, and what the channel cannot send is malformed", async () => {
    const hub = shop();
    const ana = await staff(hub);
    const { phone } = somebody();
    await onWhatsApp(hub, phone, "Hello");
    await hub.idle();
    const { body } = await ask(hub, `/api/customers?phone=${encodeURIComponent(phone)}`, {
      headers: keys.admin,
    });
    const path = `/api/conversations/${body.customers[0].customer_key}/messages`;
    expect((await ana.post(path, { replies: [{ kind: "text", text: "By hand" }] })).status).toBe(200);
    await hub.idle();
    expect(hub.sent.at(-1)).toMatchObject({ channel: "whatsapp", text: "By hand" });
    const { body: thread } = await ana.get(path);
    expect(thread.messages.at(-1)).toMatchObject({ role: "operator", status: "sent" });
    for (const replies of [
      [{ kind: "typing" }],
      [{ kind: "delete", message_id: ana.id }],
      [{ kind: "text", text: " " }],
      [],
    ])
      expect((await ana.post(path, { replies })).code).toBe("malformed");
    expect((await ana.post(path, { replies: [{ kind: "text", text: "x" }], channel: "telegram" })).code).toBe(
      "malformed",
    );
  });

  test("two operators: the other is told who has it, and who has answered since", async () => {
    const hub = shop();
    const [ana, bob] = [await staff(hub), await staff(hub)];
    const anna = await visitor(hub);
    const { body } = await anna.say("Hello");
    const path = `/api/conversations/${await anna.key()}`;
    const text = (words: string, more = {}) => ({ replies: [{ kind: "text", text: words }], ...more });
    const bot = await bob.post(`${path}/messages`, text("Hi", { seen: body.message.seq }));
    expect([bot.code, bot.body.error.details.role]).toEqual(["answered_since", "assistant"]);
    await ana.post(`${path}/messages`, text("Hi, I am Ana"));
    const taken = await bob.post(`${path}/messages`, text("Me too"));
    expect([taken.status, taken.code, taken.body.error.details.user]).toEqual([
      409,
      "conversation_taken",
      { user_id: ana.id, name: ana.name },
    ]);
    expect((await bob.post(`${path}/close`)).code).toBe("conversation_taken");
    expect((await bob.post(`${path}/assign`, { to: bob.id, from: ana.id })).body.user.user_id).toBe(bob.id);
    expect((await bob.post(`${path}/take`, {}, { "if-match": '"1"' })).code).toBe("version_conflict");
  });

  test("notes, presence, canned replies, changes and dead letters", async () => {
    const hub = shop();
    const [ana, bob] = [await staff(hub), await staff(hub)];
    const anna = await visitor(hub);
    await anna.say("Hello");
    const path = `/api/conversations/${await anna.key()}`;
    const { body: first } = await ana.get("/api/conversations/changes");
    const note = await bob.post(`${path}/notes`, { text: "calls back", mentions: [ana.id] });
    expect(note.status).toBe(201);
    const { body: second } = await ana.get(
      `/api/conversations/changes?after=${encodeURIComponent(first.cursor)}&wait=5`,
    );
    expect(second.conversations).toContain(await anna.key());
    const waiting = ana.get(`/api/conversations/changes?after=${encodeURIComponent(second.cursor)}&wait=10`);
    await bob.send("PUT", `${path}/presence`, { typing: true });
    expect((await waiting).body.presence).toContainEqual(
      expect.objectContaining({ user: { user_id: bob.id, name: bob.name }, typing: true }),
    );
    const { body: beside } = await ana.get(path);
    expect(beside.notes).toMatchObject([{ text: "calls back", mentions: [{ user_id: ana.id }] }]);
    expect((await ana.send("DELETE", `${path}/notes/${note.body.note_id}`)).code).toBe("forbidden");
    expect((await bob.send("DELETE", `${path}/notes/${note.body.note_id}`)).status).toBe(200);
    const canned = await ana.send("PUT", "/api/canned-replies/hello", {
      title: "Hello",
      replies: [{ kind: "text", text: "Hi {name}" }],
    });
    expect(canned.body).toMatchObject({ shortcut: "hello", version: 1 });
    expect((await bob.get("/api/canned-replies")).body.canned_replies).toHaveLength(1);
    expect((await bob.send("DELETE", "/api/canned-replies/hello")).status).toBe(200);
    expect((await ana.get(`${path}/dead-letters`)).body).toEqual({ dead_letters: [] });
    expect((await ana.post(`${path}/dead-letters/${ana.id}/retry`)).code).toBe("not_found");
    expect((await ana.get("/api/stats/handoffs")).status).toBe(200);
    expect((await ana.get("/api/stats?by=day")).status).toBe(200);
  });

  test("a dead letter is tried again by its conversation's staff, and by its own conversation's path only", async () => {
    const hub = shop({
      bot: { history: 0, reply: async () => Promise.reject(new Error("broken")) },
      policy: { botMs: 100, sendMs: 100, turnAttempts: 1, deliveryAttempts: 1 },
    });
    const [ana, bob] = [await staff(hub), await staff(hub)];
    const [anna, ben] = [await visitor(hub), await visitor(hub)];
    await anna.say("Hello");
    await ben.say("Hello");
    const path = `/api/conversations/${await anna.key()}`;
    const { body } = await ana.get(`${path}/dead-letters`);
    expect(body.dead_letters).toMatchObject([{ type: "turn" }]);
    const [{ id }] = body.dead_letters;
    expect((await ana.post(`/api/conversations/${await ben.key()}/dead-letters/${id}/retry`)).code).toBe(
      "not_found",
    );
    expect((await ana.post(`${path}/take`)).status).toBe(200);
    expect((await bob.post(`/api/dead-letters/${id}/retry`)).code).toBe("conversation_taken");
    expect((await ana.post(`/api/dead-letters/${id}/retry`)).code).toBe("conversation_held");
    expect((await ana.post(`${path}/give-back`)).status).toBe(200);
    expect((await bob.post(`${path}/dead-letters/${id}/retry`)).body).toEqual({ retried: true });
  });

  test("staff open files, templates, a search of all messages, dead letters and tags, and no more of a customer", async () => {
    const storage = memoryFiles();
    const hub = shop({ media: { links: mediaLinks([], undefined), maxBytes: 1_000_000, storage } });
    const ana = await staff(hub);
    const anna = await visitor(hub);
    await anna.say("The aubergine was cold");
    const key = await anna.key();
    const path = `/api/conversations/${key}`;
    const png = Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    );
    const given = {
      method: "POST",
      body: png,
      headers: { ...ana.bearer, "content-type": "application/octet-stream" },
    };
    const { status, body } = await ask(hub, "/api/media?name=plan.png", given);
    expect([status, body.upload]).toMatchObject([201, { kind: "image", file_name: "plan.png" }]);
    const { upload } = body.upload;
    const sent = await ana.post(`${path}/messages`, {
      replies: [{ kind: "image", media: { upload }, caption: "The plan" }],
    });
    expect(sent.status).toBe(200);
    const read = await hub.request(sent.body.messages[0].media_url, { headers: ana.bearer });
    expect([read.status, read.headers.get("content-type")]).toEqual([200, "image/png"]);
    expect(await ask(hub, `/api/media?session=${anna.id}`, given)).toMatchObject({ code: "forbidden" });

    await featuresOf(hub.hub).search.index(1_000);
    const { body: found } = await ana.get("/api/search/messages?q=aubergine&role=user");
    expect(found.results).toMatchObject([{ customer: { customer_key: key, contact: anna.phone } }]);
    // The id of a session leads to its customer's conversation.
    const beside = await ana.get(`/api/conversations/${found.results[0].session_id}`);
    expect(beside.body).toMatchObject({ conversation: { customer_key: key }, windows: [] });
    expect((await ana.get("/api/templates")).status).toBe(200);
    expect((await ana.get("/api/dead-letters")).status).toBe(200);
    expect((await ana.post(`/api/dead-letters/${key}/retry`)).code).toBe("not_found");
    const { body: tagged } = await ana.send("PATCH", `/api/customers/${key}`, {
      tags: ["regular"],
      name: "Anna",
    });
    expect(tagged).toMatchObject({ tags: ["regular"], name: "Anna" });
    for (const more of [{ email: "mallory@shop.example" }, { phone: "+4915118880000" }, { plan: "premium" }])
      expect((await ana.send("PATCH", `/api/customers/${key}`, { tags: [], ...more })).code).toBe(
        "forbidden",
      );
    const nobody = { authorization: `Bearer hsu_${"x".repeat(43)}` };
    for (const [method, route] of [
      ["GET", sent.body.messages[0].media_url],
      ["GET", "/api/search/messages?q=aubergine"],
      ["GET", "/api/templates"],
      ["GET", "/api/dead-letters"],
      ["POST", "/api/media"],
    ] as const)
      expect([route, (await ask(hub, route, { method, headers: nobody })).code]).toEqual([
        route,
        "unauthorized",
      ]);
  });

  test("an agent changes own messages only, and nothing in the conversation of a colleague", async () => {
    const hub = shop();
    const [ana, bob, cleo] = [await staff(hub), await staff(hub), await staff(hub, "admin")];
    const anna = await visitor(hub);
    const { body } = await anna.say("Hello");
    const path = `/api/conversations/${await anna.key()}`;
    const { body: sent } = await ana.post(`${path}/messages`, {
      replies: [{ kind: "text", text: "We open at nine" }],
    });
    const [{ message_id }] = sent.messages;
    const edit = (who: typeof ana, id: string) =>
      who.send("PATCH", `/api/messages/${id}`, { text: "We open at ten" });
    expect((await edit(bob, message_id)).code).toBe("conversation_taken");
    expect(
      (await bob.send("PUT", `/api/messages/${body.message.message_id}/reaction`, { emoji: "👍" })).code,
    ).toBe("conversation_taken");
    expect((await edit(ana, message_id)).body).toMatchObject({
      changed: true,
      message: { text: "We open at ten" },
    });
    const reacted = await ana.send("PUT", `/api/messages/${body.message.message_id}/reaction`, {
      emoji: "👍",
    });
    expect(reacted.body.message.reaction).toBe("👍");
    await ana.post(`${path}/give-back`);
    const not = await edit(bob, message_id);
    expect([not.code, not.body.error.details.why]).toEqual(["not_changeable", "not_yours"]);
    expect((await cleo.send("DELETE", `/api/messages/${message_id}`)).body.changed).toBe(true);
    const { body: thread } = await ana.get(`${path}/messages`);
    const changes = thread.messages.filter(({ kind }: any) => ["edit", "reaction", "delete"].includes(kind));
    expect(changes.map(({ kind, author }: any) => [kind, author])).toEqual([
      ["edit", `user:${ana.id}`],
      ["reaction", `user:${ana.id}`],
      ["delete", `user:${cleo.id}`],
    ]);
  });

  test("who waits too long is reported: log, metrics and mark", async () => {
    const hub = shop({ desk: { words: true, waitLimitMs: 600_000 } });
    const anna = await visitor(hub);
    await anna.say("agent");
    hub.clock.now = new Date(hub.clock.now.getTime() + 700_000);
    const budget = { batch: 20, batches: 2, sessions: 10, retentionMs: 30 * DAY_MS };
    expect((await sweep(hub.hub, budget)).overdue).toBeGreaterThan(0);
    expect((await sweep(hub.hub, budget)).overdue).toBe(0);
    expect(hub.lines.some(({ event }) => event === "conversation.overdue")).toBe(true);
    const metrics = await (await hub.request("/metrics", { headers: keys.admin })).text();
    expect(metrics).toMatch(/hub_conversations_overdue [1-9]/);
    const ana = await staff(hub);
    const { body } = await ana.get("/api/conversations?view=waiting&limit=100");
    expect(body.conversations.find((one: any) => one.session_id === anna.id)?.overdue_at).not.toBeNull();
  });
});

describe("an attacker at the desk", () => {
  const ROUTES: [string, string, object?][] = [
    ["GET", "/api/conversations"],
    ["GET", "/api/conversations/changes"],
    ["GET", "/api/conversations/{key}"],
    ["GET", "/api/conversations/{key}/messages"],
    ["GET", "/api/conversations/{key}/dead-letters"],
    ["GET", "/api/canned-replies"],
    ["GET", "/api/staff/me"],
    ["POST", "/api/conversations/{key}/take", {}],
    ["POST", "/api/conversations/{key}/assign", { to: null }],
    ["POST", "/api/conversations/{key}/give-back", {}],
    ["POST", "/api/conversations/{key}/close", {}],
    ["POST", "/api/conversations/{key}/snooze", { until: null }],
    ["POST", "/api/conversations/{key}/seen", {}],
    ["POST", "/api/conversations/{key}/messages", { replies: [{ kind: "text", text: "x" }] }],
    ["POST", "/api/conversations/{key}/notes", { text: "x" }],
    ["PUT", "/api/conversations/{key}/presence", { typing: true }],
    ["PUT", "/api/canned-replies/x", { title: "x", replies: [{ kind: "text", text: "x" }] }],
    ["DELETE", "/api/canned-replies/x"],
  ];

  test("with a customer's token, any API key, no sign-in or one that is over, opens nothing", async () => {
    const hub = shop();
    const anna = await visitor(hub);
    await anna.say("Hello");
    const key = await anna.key();
    const ana = await staff(hub);
    const gone = await staff(hub);
    await gone.post("/api/staff/sign-out");
    const fired = await staff(hub);
    await ask(hub, `/api/users/${fired.id}`, { ...post({ disabled: true }, keys.admin), method: "PATCH" });
    const callers: Record<string, string>[] = [
      {},
      anna.bearer,
      { "x-session-token": anna.token },
      keys.admin,
      { authorization: "Bearer admin-key" },
      keys.web,
      gone.bearer,
      fired.bearer,
      { authorization: `Bearer hsu_${"A".repeat(43)}` },
      { authorization: `${ana.bearer.authorization}x` },
    ];
    for (const headers of callers)
      for (const [method, path, body] of ROUTES) {
        const init = body ? { ...post(body, headers), method } : { method, headers };
        const { status, code } = await ask(hub, path.replace("{key}", key), init);
        expect([method, path, JSON.stringify(headers).slice(0, 40), status, code]).toEqual([
          method,
          path,
          JSON.stringify(headers).slice(0, 40),
          401,
          "unauthorized",
        ]);
      }
    // And a sign-in at the desk is no key and no session.
    for (const path of [
      "/api/customers",
      "/api/audit",
      "/session/messages",
      `/api/sessions/${anna.id}`,
      "/metrics",
    ])
      expect((await hub.request(path, { headers: ana.bearer })).status).toBe(401);
  });

  test("an agent is no admin; passwords are not guessed by asking who there is", async () => {
    const hub = shop();
    const [ana, root] = [await staff(hub), await staff(hub, "admin")];
    const add = { email: somebody().email, name: "New" };
    expect((await ana.post("/api/users", add)).code).toBe("forbidden");
    expect((await ana.send("PATCH", `/api/users/${ana.id}`, { role: "admin" })).code).toBe("forbidden");
    expect((await root.post("/api/users", add)).status).toBe(201);
    expect((await root.post("/api/users", add)).code).toBe("user_exists");
    expect((await ask(hub, "/api/users", post(add, keys.web))).code).toBe("forbidden");
    const [wrong, nobody] = [
      await ask(hub, "/api/staff/sign-in", post({ email: ana.email, password: "wrong" })),
      await ask(hub, "/api/staff/sign-in", post({ email: "no@shop.example", password: PASSWORD })),
    ];
    expect([wrong.status, wrong.body.error.message]).toEqual([401, nobody.body.error.message]);
    expect((await ask(hub, "/api/staff/sign-in", post({ email: ana.email }))).code).toBe("malformed");
    expect((await ask(hub, "/api/staff/sign-in", post({ access_token: "x" }))).code).toBe("unauthorized");
    const off = testHub({ store: hub.hub.store });
    expect((await ask(off, "/api/staff/sign-in")).body.kind).toBe("off");
    expect((await ask(off, "/api/staff/sign-in", post({ email: ana.email, password: PASSWORD }))).code).toBe(
      "not_found",
    );
    expect((await ask(testHub(), "/api/conversations", { headers: ana.bearer })).code).toBe("needs_database");
  });
});

describe("sign-in by Supabase Auth", () => {
  const SECRET = "a secret of the project, long enough";
  let auth: Server;
  let url = "";
  let own: CryptoKeyPair;
  let other: CryptoKeyPair;
  const users = new Map<string, object>();
  beforeAll(async () => {
    const pair = () =>
      crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    [own, other] = (await Promise.all([pair(), pair()])) as [CryptoKeyPair, CryptoKeyPair];
    const jwk = await crypto.subtle.exportKey("jwk", own.publicKey);
    auth = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      const [path] = request.url!.split("?");
      const say = (status: number, value: unknown) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
      if (path === "/auth/v1/.well-known/jwks.json")
        return say(200, { keys: [{ ...jwk, kid: "k1", alg: "ES256", use: "sig" }] });
      if (path === "/auth/v1/user") {
        const user = users.get(request.headers.authorization!.slice(7));
        return user ? say(200, user) : say(403, {});
      }
      if (path === "/auth/v1/token") {
        const { email, password } = JSON.parse(body);
        const token = await tokenFor(email);
        return password === "right"
          ? say(200, { access_token: token })
          : say(400, { error_code: "invalid_credentials" });
      }
      return say(200, {});
    });
    await new Promise<void>((go) => auth.listen(0, "127.0.0.1", go));
    url = `http://127.0.0.1:${(auth.address() as AddressInfo).port}`;
  });
  afterAll(() => auth.close());

  const claims = (over: object = {}) => ({
    iss: `${url}/auth/v1`,
    aud: "authenticated",
    sub: crypto.randomUUID(),
    role: "authenticated",
    exp: Math.floor(Date.now() / 1000) + 3_600,
    iat: Math.floor(Date.now() / 1000) - 1,
    ...over,
  });
  const signed = async (payload: object, key: CryptoKey, kid = "k1") => {
    const jwk = await crypto.subtle.exportKey("jwk", key);
    return sign(payload as never, { ...jwk, kid, alg: "ES256" } as never, "ES256");
  };
  const knows = (token: string, email: string, sub: string, over: object = {}) =>
    users.set(token, { id: sub, email, email_confirmed_at: "2026-01-01T00:00:00Z", ...over });
  const subs = new Map<string, string>();
  async function tokenFor(email: string) {
    const sub = subs.get(email) ?? crypto.randomUUID();
    subs.set(email, sub);
    const token = await signed(claims({ sub }), own.privateKey);
    knows(token, email, sub);
    return token;
  }

  test("takes a password and an access token of this project, and nothing else", async () => {
    const hub = shop({}, { signIn: supabaseSignIn({ url, key: "anon", jwtSecret: SECRET }) });
    const { email, name } = somebody();
    await ask(hub, "/api/users", post({ email, name, role: "agent" }, keys.admin));
    const signIn = (access_token: string) => ask(hub, "/api/staff/sign-in", post({ access_token }));
    expect((await ask(hub, "/api/staff/sign-in", post({ email, password: "right" }))).status).toBe(200);
    expect((await ask(hub, "/api/staff/sign-in", post({ email, password: "wrong" }))).code).toBe(
      "unauthorized",
    );
    expect((await signIn(await tokenFor(email))).body.user.email).toBe(email);
    const sub = subs.get(email)!;
    const symmetric = await sign(claims({ sub }) as never, SECRET, "HS256");
    knows(symmetric, email, sub);
    expect((await signIn(symmetric)).status).toBe(200);

    const attempts: [string, () => Promise<string>][] = [
      ["another project's key", () => signed(claims({ sub }), other.privateKey)],
      ["an unknown key", () => signed(claims({ sub }), own.privateKey, "k9")],
      ["expired", () => signed(claims({ sub, exp: 1_000 }), own.privateKey)],
      ["without an end", () => signed(claims({ sub, exp: undefined }), own.privateKey)],
      ["another issuer", () => signed(claims({ sub, iss: "https://evil.example/auth/v1" }), own.privateKey)],
      ["another audience", () => signed(claims({ sub, aud: "anon" }), own.privateKey)],
      ["the service role", () => signed(claims({ sub, role: "service_role" }), own.privateKey)],
      ["anonymous", () => signed(claims({ sub, is_anonymous: true }), own.privateKey)],
      ["a wrong secret", () => sign(claims({ sub }) as never, "another secret, long enough", "HS256")],
      ["another person's id", () => signed(claims(), own.privateKey)],
      [
        "no signature",
        async () => {
          const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
          return `${part({ alg: "none", typ: "JWT" })}.${part(claims({ sub }))}.`;
        },
      ],
      [
        "HS256 with the public key as its secret",
        async () =>
          sign(
            claims({ sub }) as never,
            JSON.stringify(await crypto.subtle.exportKey("jwk", own.publicKey)),
            "HS256",
          ),
      ],
      ["no token", async () => "x.y.z"],
    ];
    for (const [what, make] of attempts) {
      const token = await make();
      knows(token, email, sub);
      expect([what, (await signIn(token)).code]).toEqual([what, "unauthorized"]);
    }
    // Somebody whom the project knows, and who is no user here.
    expect((await signIn(await tokenFor("stranger@shop.example"))).code).toBe("unauthorized");
    // The address has a new holder at the project: the user is bound to the first one.
    const stolen = crypto.randomUUID();
    const token = await signed(claims({ sub: stolen }), own.privateKey);
    knows(token, email, stolen);
    expect((await signIn(token)).code).toBe("unauthorized");
    const unconfirmed = await tokenFor(email);
    knows(unconfirmed, email, sub, { email_confirmed_at: null });
    expect((await signIn(unconfirmed)).code).toBe("unauthorized");
    expect((await ask(hub, "/api/staff/sign-in/link", post({ email: "nobody@shop.example" }))).body).toEqual({
      sent: true,
    });
  });

  test("that does not answer is 503, and the project's secret alone does not make a token of another algorithm good", async () => {
    const dead = shop({}, { signIn: supabaseSignIn({ url: "http://127.0.0.1:9", key: "anon" }) });
    const { email } = somebody();
    expect((await ask(dead, "/api/staff/sign-in", post({ email, password: "right" }))).status).toBe(503);
    const asymmetric = shop({}, { signIn: supabaseSignIn({ url, key: "anon" }) });
    const sub = crypto.randomUUID();
    const token = await sign(claims({ sub }) as never, SECRET, "HS256");
    knows(token, email, sub);
    expect((await ask(asymmetric, "/api/staff/sign-in", post({ access_token: token }))).code).toBe(
      "unauthorized",
    );
  });
});
