import { describe, expect, test } from "vitest";
import { ERROR_CODES } from "../../src/core/errors.ts";
import { begin, faultyStore, post, testHub } from "../support/http.ts";

const ROUTES = [
  "DELETE /api/calendar-feeds/{id}",
  "DELETE /api/canned-replies/{shortcut}",
  "DELETE /api/conversations/{id}/notes/{note_id}",
  "DELETE /api/customers/{id}",
  "DELETE /api/endpoints/{id}",
  "DELETE /api/knowledge/{id}",
  "DELETE /api/media/{id}",
  "DELETE /api/messages/{id}",
  "DELETE /api/messages/{id}/pin",
  "DELETE /api/messages/{id}/reaction",
  "DELETE /api/sessions/{id}",
  "DELETE /api/sessions/{id}/devices/{device_id}",
  "DELETE /api/threads/{thread_id}",
  "DELETE /session/devices/{device_id}",
  "DELETE /session/identities/{kind}",
  "GET /",
  "GET /api/audit",
  "GET /api/calendar-feeds",
  "GET /api/campaigns",
  "GET /api/campaigns/{id}",
  "GET /api/canned-replies",
  "GET /api/config",
  "GET /api/conversations",
  "GET /api/conversations/changes",
  "GET /api/conversations/{id}",
  "GET /api/conversations/{id}/dead-letters",
  "GET /api/conversations/{id}/messages",
  "GET /api/customers",
  "GET /api/customers/duplicates",
  "GET /api/customers/{id}",
  "GET /api/customers/{id}/export",
  "GET /api/customers/{id}/opt-outs",
  "GET /api/dead-letters",
  "GET /api/endpoints",
  "GET /api/endpoints/{id}",
  "GET /api/endpoints/{id}/dead-letters",
  "GET /api/export",
  "GET /api/knowledge",
  "GET /api/knowledge/{id}",
  "GET /api/media/{id}",
  "GET /api/messages/{id}",
  "GET /api/orders",
  "GET /api/orders/{id}",
  "GET /api/reservations",
  "GET /api/reservations.ics",
  "GET /api/reservations/{id}",
  "GET /api/search/messages",
  "GET /api/segments",
  "GET /api/sessions",
  "GET /api/sessions/{id}",
  "GET /api/sessions/{id}/devices",
  "GET /api/sessions/{id}/export",
  "GET /api/sessions/{id}/messages",
  "GET /api/staff/me",
  "GET /api/staff/sign-in",
  "GET /api/stats",
  "GET /api/stats/handoffs",
  "GET /api/templates",
  "GET /api/threads",
  "GET /api/threads/{thread_id}",
  "GET /api/trace",
  "GET /api/users",
  "GET /docs",
  "GET /health",
  "GET /metrics",
  "GET /openapi.json",
  "GET /session/devices",
  "GET /session/live",
  "GET /session/messages",
  "GET /session/restore",
  "GET /webhooks/{channel}",
  "PATCH /api/customers/{id}",
  "PATCH /api/endpoints/{id}",
  "PATCH /api/messages/{id}",
  "PATCH /api/orders/{id}",
  "PATCH /api/reservations/{id}",
  "PATCH /api/users/{id}",
  "POST /api/calendar-feeds",
  "POST /api/campaigns",
  "POST /api/campaigns/{id}/{action}",
  "POST /api/chat/language",
  "POST /api/conversations/{id}/assign",
  "POST /api/conversations/{id}/close",
  "POST /api/conversations/{id}/dead-letters/{letter_id}/retry",
  "POST /api/conversations/{id}/give-back",
  "POST /api/conversations/{id}/messages",
  "POST /api/conversations/{id}/notes",
  "POST /api/conversations/{id}/seen",
  "POST /api/conversations/{id}/snooze",
  "POST /api/conversations/{id}/take",
  "POST /api/customers",
  "POST /api/customers/{id}/merge",
  "POST /api/dead-letters/{id}/retry",
  "POST /api/endpoints",
  "POST /api/endpoints/{id}/replay",
  "POST /api/endpoints/{id}/secret",
  "POST /api/media",
  "POST /api/messages",
  "POST /api/messages/preview",
  "POST /api/messages/{id}/cancel",
  "POST /api/orders",
  "POST /api/reservations",
  "POST /api/sessions/{id}/rate",
  "POST /api/staff/sign-in",
  "POST /api/staff/sign-in/link",
  "POST /api/staff/sign-out",
  "POST /api/users",
  "POST /auth/login",
  "POST /auth/logout",
  "POST /auth/password",
  "POST /auth/signup",
  "POST /session/end",
  "POST /session/link",
  "POST /session/restore",
  "POST /session/signout",
  "POST /session/start",
  "POST /session/update",
  "POST /session/verify",
  "POST /webhooks/chat",
  "POST /webhooks/kiosk",
  "POST /webhooks/telegram",
  "POST /webhooks/web",
  "POST /webhooks/whatsapp",
  "PUT /api/canned-replies/{shortcut}",
  "PUT /api/conversations/{id}/presence",
  "PUT /api/customers/{id}",
  "PUT /api/customers/{id}/opt-outs",
  "PUT /api/knowledge/{id}",
  "PUT /api/messages/{id}/pin",
  "PUT /api/messages/{id}/reaction",
  "PUT /api/threads/{thread_id}",
];

async function documentOf(hub = testHub()): Promise<any> {
  return (await hub.request("/openapi.json")).json();
}

function operationsOf(document: any): [string, any][] {
  return Object.entries<any>(document.paths).flatMap(([path, item]) =>
    Object.entries<any>(item).map(([verb, operation]): [string, any] => [
      `${verb.toUpperCase()} ${path}`,
      operation,
    ]),
  );
}

describe("the API description", () => {
  test("is OpenAPI 3.1 and lists every route of the app", async () => {
    const hub = testHub();
    const document = await documentOf(hub);
    expect(document.openapi).toBe("3.1.0");
    expect(document.info).toMatchObject({ title: expect.any(String), version: "1.2.3" });
    expect(
      operationsOf(document)
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(ROUTES);
    const registered = hub.app.routes
      .filter(({ method }) => method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect([...new Set(registered)].toSorted()).toEqual(ROUTES);
  });

  test("resolves every reference it makes", async () => {
    const document = await documentOf();
    const text = JSON.stringify(document);
    const refs = [...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!);
    expect(refs).toContain("CallerMessage");
    for (const name of refs) expect(document.components.schemas).toHaveProperty([name]);
    for (const [, { security = [] }] of operationsOf(document))
      for (const way of security)
        for (const name of Object.keys(way))
          expect(document.components.securitySchemes).toHaveProperty([name]);
  });

  test("gives each operation a summary, a tag and its errors, each under the status its code stands for", async () => {
    const document = await documentOf();
    const tags = document.tags.map(({ name }: any) => name);
    for (const [name, { summary, tags: own, responses, parameters = [] }] of operationsOf(document)) {
      expect([name, summary.length > 0, tags.includes(own[0])]).toEqual([name, true, true]);
      expect([name, ["101", "200", "201"].some((good) => good in responses)]).toEqual([name, true]);
      if (name !== "GET /health")
        expect([name, Object.keys(responses)]).toEqual([name, expect.arrayContaining(["500", "503"])]);
      for (const [status, { description }] of Object.entries<any>(responses))
        for (const [, code] of status === "200" ? [] : description.matchAll(/^`([a-z_]+)`/gm))
          expect([code, String(ERROR_CODES[code as keyof typeof ERROR_CODES])]).toEqual([code, status]);
      for (const { in: place } of parameters) expect(["path", "query", "header"]).toContain(place);
    }
  });

  test("describes the shapes that answers have", async () => {
    const { components } = await documentOf();
    const hub = testHub();
    const { session } = await begin(hub);
    expect(Object.keys(components.schemas.Session.properties)).toEqual(Object.keys(session));
    expect(components.schemas.Session.required.toSorted()).toEqual(Object.keys(session).toSorted());
    expect(components.schemas.Error.properties.error.properties.code.enum).toEqual(Object.keys(ERROR_CODES));
  });

  test("is an HTML page too, with every path and shape and no external resource", async () => {
    const hub = testHub();
    const response = await hub.request("/docs");
    expect(response.headers.get("content-type")).toMatch(/^text\/html/);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await response.text();
    const document = await documentOf(hub);
    for (const path of Object.keys(document.paths)) expect(html).toContain(`<code>${path}</code>`);
    for (const name of Object.keys(document.components.schemas)) expect(html).toContain(`id="${name}"`);
    for (const [, name] of html.matchAll(/href="#([^"]+)"/g)) expect(html).toContain(`id="${name}"`);
    expect(html).not.toMatch(/<script|<link|<img|@import|src=|href="http|url\(/);
    expect(html).not.toMatch(/undefined|\[object Object\]|NaN/);
  });
});

describe("every answer", () => {
  test("carries the request id that came, or a new one", async () => {
    const hub = testHub();
    const given = await hub.request("/health", { headers: { "x-request-id": "abc-1.2_3" } });
    expect(given.headers.get("x-request-id")).toBe("abc-1.2_3");
    for (const id of ["a b", "x".repeat(65), "<script>", ""]) {
      const made = await hub.request("/health", { headers: { "x-request-id": id } });
      expect(made.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test("to an unknown path is a 404, to a wrong method a 405 that names the right ones", async () => {
    const hub = testHub();
    const unknown = await hub.request("/nope", { headers: { "x-request-id": "r1" } });
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      { error: { code: "not_found", message: "no such route", request_id: "r1" } },
    ]);
    const wrong = await hub.request("/session/start");
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
    expect(((await wrong.json()) as any).error.code).toBe("method_not_allowed");
    const both = await hub.request("/webhooks/whatsapp", { method: "DELETE" });
    expect([both.status, both.headers.get("allow")?.split(", ").toSorted()]).toEqual([
      405,
      ["GET", "HEAD", "POST"],
    ]);
    for (const { fields } of hub.lines) expect(fields.code).toMatch(/^(not_found|method_not_allowed)$/);
  });

  test("carries headers that keep browsers careful", async () => {
    const { headers } = await testHub().request("/health");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("referrer-policy")).toBe("no-referrer");
    expect(headers.get("strict-transport-security")).toContain("max-age");
  });

  test("writes one log line with ids, codes and the route's pattern, and no content", async () => {
    const hub = testHub();
    const { id, bearer, token } = await begin(
      hub,
      { channel: "web", phone: "+493012345678" },
      { "x-api-key": "web-key" },
    );
    await hub.request(
      "/session/update?phone=%2B493012345678",
      post({ message: "my secret", data: { a: "b" } }, bearer),
    );
    await hub.request("/session/update", post({ message: "my secret", data: { a: "b" } }, bearer));
    await hub.request(`/api/sessions/${id}/messages?after=0`, { headers: { "x-api-key": "admin-key" } });
    await hub.request("/webhooks/web?wait=5", post({ external_id: "1", text: "my secret" }, bearer));
    await hub.request("/session/update", post({ language: "my secret" }, bearer));
    const lines = hub.lines.filter(({ event }) => event === "request").map(({ fields }) => fields);
    expect(lines.map(({ method, route, status }) => [method, route, status])).toEqual([
      ["POST", "/session/start", 200],
      ["POST", "/session/update", 400],
      ["POST", "/session/update", 200],
      ["GET", "/api/sessions/:id/messages", 200],
      ["POST", "/webhooks/web", 200],
      ["POST", "/session/update", 400],
    ]);
    for (const line of lines)
      expect(line).toMatchObject({ request_id: expect.any(String), duration_ms: expect.any(Number) });
    expect(lines.at(-1)).toMatchObject({ code: "malformed" });
    const all = JSON.stringify(hub.lines);
    for (const secret of ["secret", "4930", token, "web-key", "admin-key"]) expect(all).not.toContain(secret);
  });
});

describe("browsers of other origins", () => {
  test("are answered when they are on the list", async () => {
    const hub = testHub();
    const preflight = await hub.request("/session/update", {
      method: "OPTIONS",
      headers: {
        origin: "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,if-match",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    const allowed = preflight.headers.get("access-control-allow-headers")?.toLowerCase();
    for (const name of ["authorization", "x-api-key", "x-session-token", "if-match", "content-type"])
      expect(allowed).toContain(name);
    const methods = preflight.headers.get("access-control-allow-methods")?.split(",");
    expect(methods?.toSorted()).toEqual(["DELETE", "GET", "PATCH", "POST", "PUT"]);
    const answer = await hub.request(
      "/session/start",
      post({ channel: "web" }, { origin: "https://shop.example" }),
    );
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://shop.example");
    const exposed = answer.headers.get("access-control-expose-headers")?.toLowerCase();
    for (const name of ["etag", "retry-after", "x-request-id"]) expect(exposed).toContain(name);
    expect(answer.headers.get("vary")).toContain("Origin");
  });

  test("get no permission otherwise, also on errors", async () => {
    const hub = testHub();
    for (const origin of ["https://evil.example", "null", "https://shop.example.evil.example"]) {
      const answer = await hub.request("/session/start", post({}, { origin }));
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
    }
    const error = await hub.request("/session/start", post({}, { origin: "https://shop.example" }));
    expect([error.status, error.headers.get("access-control-allow-origin")]).toEqual([
      400,
      "https://shop.example",
    ]);
  });

  test("are logged once each when they are refused, with the remedy", async () => {
    const hub = testHub();
    const from = (origin: string) => hub.request("/health", { headers: { origin } });
    for (let i = 0; i < 3; i++) await from("https://new-shop.example");
    await from("https://shop.example");
    await from("https://a.example/path?phone=%2B4915112340001");
    await from(`https://${"a".repeat(300)}.example`);
    for (let i = 0; i < 500; i++) await from(`https://${i}.example`);
    const refused = hub.lines.filter(({ event }) => event === "origin.refused");
    expect(refused[0]).toMatchObject({
      level: "warn",
      fields: {
        origin: "https://new-shop.example",
        advice: "if this page is yours, add https://new-shop.example to CORS_ORIGINS",
      },
    });
    expect(refused.length).toBeLessThanOrEqual(50);
    const said = refused.map(({ fields: { request_id: _, ...fields } }) => fields);
    expect(JSON.stringify(said)).not.toMatch(/4915|aaaa|"https:\/\/shop\.example/);
  });
});

describe("GET /health", () => {
  const admin = { headers: { "x-api-key": "admin-key" } };

  test("shows only the version without an admin key", async () => {
    const hub = testHub();
    for (const headers of [
      {},
      { "x-api-key": "kiosk-key-1" },
      { "x-api-key": "guess" },
      { authorization: "Bearer x" },
    ])
      expect(await (await hub.request("/health", { headers: headers as any })).json()).toEqual({
        status: "ok",
        version: "1.2.3",
      });
  });

  test("shows an admin the store, the cache and the bot", async () => {
    expect(await (await testHub().request("/health", admin)).json()).toEqual({
      status: "ok",
      version: "1.2.3",
      store: { backend: "memory", ok: true, latency_ms: expect.any(Number) },
      work: { open_turns: 0, oldest_turn_age_s: 0, open_deliveries: 0, oldest_delivery_age_s: 0 },
      rate_limits: [],
      cache: { backend: "none" },
    });
  });

  test("stays 200 while the store is down, and reports it to an admin", async () => {
    const hub = testHub();
    const dead = { ...hub.hub.store, ping: async () => Promise.reject(new Error("dead")) };
    const response = await testHub({ store: dead }).request("/health", admin);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "degraded", store: { ok: false, code: "Error" } });
  });
});

describe("a half-configured hub", () => {
  const problem = "whatsapp is half configured: WHATSAPP_APP_SECRET is missing";
  const open = () => {
    throw new Error("must not be opened");
  };

  test.for(ROUTES.filter((route) => route !== "GET /health"))(
    "refuses %s, and names the variable to an admin only",
    async (route) => {
      const [method, path] = route.split(" ") as [string, string];
      const hub = testHub({}, { misconfigured: problem, open });
      const response = await hub.request(path.replaceAll(/\{\w+\}/g, "1"), { method });
      expect(response.status).toBe(503);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      const { error } = (await response.json()) as any;
      expect(error.code).toBe("misconfigured");
      expect(error.message).not.toMatch(/[A-Z]+_[A-Z]+|whatsapp/);
      const admin = { method, headers: { "x-api-key": "admin-key" } };
      const answer = await hub.request(path.replaceAll(/\{\w+\}/g, "1"), admin);
      expect(((await answer.json()) as any).error).toMatchObject({ code: "misconfigured", message: problem });
    },
  );

  test("answers /health to everybody, with the reason for an admin", async () => {
    const hub = testHub({}, { misconfigured: problem, open });
    expect(await (await hub.request("/health")).json()).toEqual({
      status: "degraded",
      reasons: ["misconfigured"],
      version: "1.2.3",
    });
    const notified = await hub.request("/health", { headers: { "x-api-key": "admin-key" } });
    expect(await notified.json()).toMatchObject({
      status: "degraded",
      misconfigured: problem,
      store: { ok: false },
    });
  });
});

describe("a hub opened for one request", () => {
  test("is opened once, when a route needs it, and closed when all work has ended", async () => {
    const events: string[] = [];
    const base = testHub({
      bot: {
        history: 0,
        reply: async () => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          events.push("answered");
          return [];
        },
      },
    });
    const hub = testHub(
      {},
      {
        open: () => {
          events.push("open");
          return base.hub;
        },
        close: async () => void events.push("close"),
      },
    );
    await hub.request("/health");
    await hub.request("/docs");
    expect(events).toEqual([]);
    const call = post({ external_id: "1", phone: "+493012345678", text: "x" }, { "x-api-key": "web-key" });
    expect((await hub.request("/webhooks/web", call)).status).toBe(200);
    expect(events).toEqual(["open"]);
    await hub.idle();
    expect(events).toEqual(["open", "answered", "close"]);
  });

  test("is closed after a failure too, and a failing close fails no request", async () => {
    let closed = 0;
    const close = async () => {
      closed++;
      throw new Error("cannot close");
    };
    const hub = testHub({}, { close });
    const response = await hub.request("/session/restore", { headers: { "x-session-token": "hst_x" } });
    await hub.idle();
    expect([response.status, closed]).toEqual([404, 1]);
    expect(hub.lines.at(-1)).toMatchObject({ event: "close.failed" });
  });
});

test("runs under Node, where background work is not awaited", async () => {
  const hub = testHub();
  const call = post({ external_id: "1", phone: "+493012345678", text: "Hello" }, { "x-api-key": "web-key" });
  const response = await hub.app.request("/webhooks/web?wait=5", call);
  expect(((await response.json()) as any).replies).toHaveLength(1);
});

test("only routes with `wait` get more time", async () => {
  const hub = testHub({ store: faultyStore(() => new Promise(() => {})) }, { bounds: { requestMs: 20 } });
  const bearer = { authorization: `Bearer hst_${"a".repeat(43)}` };
  const started = Date.now();
  const response = await hub.request("/api/sessions/00000000-0000-4000-8000-000000000000/messages?limit=25", {
    headers: bearer,
  });
  expect([response.status, Date.now() - started < 1_000]).toEqual([503, true]);
  expect((await hub.request("/session/restore?wait=25", { headers: bearer })).status).toBe(400);
});
