import { describe, expect, test } from "vitest";
import { begin, post, type TestHub, testHub } from "../support/http.ts";
import { call, onWhatsApp, strictHub } from "../support/people.ts";

async function say(hub: TestHub, bearer: Record<string, string>, ...texts: string[]) {
  for (const message of texts) await hub.request("/session/update", post({ message }, bearer));
}

async function read(hub: TestHub, path: string, headers: Record<string, string>): Promise<any> {
  return (await hub.request(path, { headers })).json();
}

async function codeOf(response: Promise<Response>) {
  return [(await response).status, ((await (await response).json()) as any).error.code];
}

describe("GET /session/messages", () => {
  test("pages through the session's messages in order", async () => {
    const hub = testHub();
    const { bearer, id } = await begin(hub);
    await say(hub, bearer, "one", "two", "three");
    const first = await read(hub, "/session/messages?limit=2", bearer);
    expect(first.messages.map(({ text }: any) => text)).toEqual(["one", "two"]);
    expect(first.more).toBe(true);
    const second = await read(hub, `/session/messages?limit=2&after=${first.cursor}`, bearer);
    expect(second.messages.map(({ text }: any) => text)).toEqual(["three"]);
    expect(second.more).toBe(false);
    const third = await read(hub, `/session/messages?after=${second.cursor}`, bearer);
    expect(third).toEqual({ messages: [], cursor: second.cursor, more: false, epoch: second.epoch });
    expect(first.messages[0]).toEqual({
      message_id: expect.any(String),
      session_id: id,
      seq: expect.any(Number),
      channel: "web",
      external_id: null,
      direction: "inbound",
      role: "user",
      author: null,
      kind: "text",
      text: "one",
      content: { kind: "text", text: "one" },
      reply_to: null,
      status: null,
      sent_at: null,
      created_at: "2026-11-02T10:00:00.000Z",
      edited_at: null,
      deleted_at: null,
      media_url: null,
      turn: null,
    });
  });

  test("waits for a new message and answers as soon as it is stored", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    await say(hub, bearer, "old");
    const { cursor } = await read(hub, "/session/messages", bearer);
    const started = Date.now();
    const waiting = read(hub, `/session/messages?after=${cursor}&wait=10`, bearer);
    setTimeout(() => void say(hub, bearer, "new"), 150);
    expect((await waiting).messages).toMatchObject([{ text: "new" }]);
    expect(Date.now() - started).toBeLessThan(3_000);
  });

  test("answers empty when the wait ends, with few store calls", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const { messages } = hub.hub.store.sessions;
    let asked = 0;
    hub.hub.store.sessions.messages = (...call) => {
      asked++;
      return messages(...call);
    };
    expect(await read(hub, "/session/messages?wait=0.6", bearer)).toEqual({
      messages: [],
      cursor: "0",
      more: false,
      epoch: expect.any(String),
    });
    expect(asked).toBeLessThan(6);
  });

  test("makes no more store calls after the caller hangs up", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    let asked = 0;
    const { messages } = hub.hub.store.sessions;
    hub.hub.store.sessions.messages = (...call) => {
      asked++;
      return messages(...call);
    };
    const caller = new AbortController();
    const waiting = hub.request("/session/messages?wait=20", { headers: bearer, signal: caller.signal });
    setTimeout(() => caller.abort(), 50);
    await waiting;
    expect(asked).toBeLessThanOrEqual(2);
  });

  test.for([
    "after=x",
    "after=-1",
    "limit=0",
    "limit=201",
    "limit=x",
    "wait=26",
    "wait=-1",
    "wait=x",
    "limit=1&limit=2",
  ])("refuses ?%s as malformed", async (query) => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    expect(await codeOf(hub.request(`/session/messages?${query}`, { headers: bearer }))).toEqual([
      400,
      "malformed",
    ]);
  });

  test("needs a token", async () => {
    const hub = testHub();
    expect(await codeOf(hub.request("/session/messages"))).toEqual([401, "unauthorized"]);
    const admin = { headers: { "x-api-key": "admin-key" } };
    expect(await codeOf(hub.request("/session/messages", admin))).toEqual([401, "unauthorized"]);
  });
});

describe("GET /api/sessions/:id/messages", () => {
  test("lets an admin read any session, also an ended one", async () => {
    const hub = testHub();
    const { bearer, id } = await begin(hub);
    await say(hub, bearer, "one");
    await hub.request("/session/end", { method: "POST", headers: bearer });
    const page = await read(hub, `/api/sessions/${id}/messages`, { authorization: "Bearer admin-key" });
    expect(page.messages).toMatchObject([{ text: "one" }]);
  });

  test("lets a token read its own session and no other", async () => {
    const hub = testHub();
    const mine = await begin(hub);
    const other = await begin(hub);
    await say(hub, other.bearer, "secret");
    const own = await hub.request(`/api/sessions/${mine.id.toUpperCase()}/messages`, {
      headers: mine.bearer,
    });
    expect(own.status).toBe(200);
    const path = `/api/sessions/${other.id}/messages`;
    const response = await hub.request(path, { headers: mine.bearer });
    expect(await response.clone().text()).not.toContain("secret");
    expect(await codeOf(Promise.resolve(response))).toEqual([403, "forbidden"]);
  });

  test("lets a token read under the id of a session that was merged into its own, and under no other", async () => {
    const hub = strictHub();
    await onWhatsApp(hub, "+4915112340001", "said on WhatsApp");
    const { id, bearer } = await begin(hub);
    await say(hub, bearer, "said before");
    const link = (await call(hub, "/session/link", { method: "POST", headers: bearer })).body;
    await onWhatsApp(hub, "+4915112340001", link.links.whatsapp.split("text=")[1]);
    const headers = { authorization: `Bearer ${link.session_token}` };
    const { session } = await read(hub, "/session/restore", headers);
    expect(session.session_id).not.toBe(id);
    const survivor = await read(hub, `/api/sessions/${session.session_id}/messages`, headers);
    expect(survivor.messages.map(({ text }: any) => text)).toEqual(
      expect.arrayContaining(["said on WhatsApp", "said before"]),
    );
    for (const known of [id, id.toUpperCase()])
      expect(await read(hub, `/api/sessions/${known}/messages`, headers)).toEqual(survivor);
    const stranger = await begin(hub);
    for (const other of [id, session.session_id, "00000000-0000-4000-8000-000000000000"])
      expect(
        await codeOf(hub.request(`/api/sessions/${other}/messages`, { headers: stranger.bearer })),
      ).toEqual([403, "forbidden"]);
  });

  test.for(["kiosk-key-1", "web-key"])("refuses %s, which is no admin key", async (key) => {
    const hub = testHub();
    const { id } = await begin(hub);
    const headers = { "x-api-key": key };
    expect(await codeOf(hub.request(`/api/sessions/${id}/messages`, { headers }))).toEqual([
      403,
      "forbidden",
    ]);
  });

  test("lets a caller with both a web key and the session's token read it", async () => {
    const hub = testHub();
    const { id, token } = await begin(hub);
    const headers = { "x-api-key": "web-key", "x-session-token": token };
    expect((await hub.request(`/api/sessions/${id}/messages`, { headers })).status).toBe(200);
  });

  test("answers 401 without a key, 400 to an invalid id and 404 to an unknown session", async () => {
    const hub = testHub();
    const headers = { "x-api-key": "admin-key" };
    const unknown = "00000000-0000-4000-8000-000000000000";
    expect(await codeOf(hub.request(`/api/sessions/${unknown}/messages`))).toEqual([401, "unauthorized"]);
    expect(await codeOf(hub.request("/api/sessions/103/messages", { headers }))).toEqual([400, "malformed"]);
    expect(await codeOf(hub.request(`/api/sessions/${unknown}/messages`, { headers }))).toEqual([
      404,
      "session_not_found",
    ]);
  });

  test("is closed to everybody when no admin key is configured", async () => {
    const hub = testHub({}, { keys: { kiosk: [], web: [], admin: [] } });
    const { id } = await begin(hub);
    for (const key of ["", "admin-key", "undefined", ","]) {
      const response = hub.request(`/api/sessions/${id}/messages`, { headers: { "x-api-key": key } });
      expect(await codeOf(response)).toEqual([401, "unauthorized"]);
    }
  });
});
