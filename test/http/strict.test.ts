import { describe, expect, test } from "vitest";
import { begin, post, testHub } from "../support/http.ts";
import { operationsOf, type Schema } from "../support/openapi.ts";
import { call, keys } from "../support/people.ts";

const ID = "00000000-0000-4000-8000-000000000000";
const addressOf = (path: string) => path.replaceAll(/\{\w+\}/g, ID);
/** The routes of platforms. A parameter that a platform adds must not lose a message. */
const isPlatforms = (path: string) => /^\/webhooks\/(telegram|whatsapp|\{channel\})$/.test(path);

describe("an unknown field or parameter", () => {
  test("is refused as a query parameter, everywhere, and named", async () => {
    const hub = testHub();
    const { token } = await begin(hub);
    const operations = await operationsOf(hub);
    for (const { method, path, body } of operations) {
      if (isPlatforms(path)) continue;
      const headers = {
        "x-session-token": token,
        "x-api-key": "admin-key",
        ...(body && { "content-type": "application/json" }),
      };
      const init = { method, headers, ...(body && { body: "{}" }) };
      const refused = await call(hub, `${addressOf(path)}?sesion_id=secret`, init);
      expect([method, path, refused.status, refused.code]).toEqual([method, path, 400, "malformed"]);
      expect(refused.body.error.message).toBe("query: unknown parameter sesion_id");
    }
    expect(operations.length).toBeGreaterThan(35);
  });

  test("is refused in the body of a route without a body, and named", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const bodiless = (await operationsOf(hub)).filter(
      ({ method, body, path }) => method !== "GET" && !body && !isPlatforms(path),
    );
    expect(bodiless.map(({ path }) => path)).toContain("/session/signout");
    for (const { method, path } of bodiless) {
      const headers = { ...bearer, ...keys.admin, "content-type": "application/json" };
      const init = (body: string) => ({ method, headers, body });
      const refused = await call(hub, addressOf(path), init('{"everywhere":true}'));
      expect([method, path, refused.status]).toEqual([method, path, 400]);
      expect(refused.body.error.message).toBe("body: unknown field everywhere");
    }
    const out = await call(hub, "/session/signout", { method: "POST", headers: bearer, body: "{}" });
    expect(out.status).toBe(200);
  });

  test.for([
    ["/session/update", { daat: {} }, "body: unknown field daat"],
    ["/session/update", { message: { text: "x", rol: "user" } }, "body.message: unknown field rol"],
    ["/session/start", { channel: "web", a: 1, b: 2 }, "body: unknown fields a, b"],
    ["/session/end", { everywhere: true }, "body: unknown field everywhere"],
    ["/webhooks/web", { external_id: "1", text: "x", txt: "y" }, "body: unknown field txt"],
    [
      "/webhooks/web",
      { external_id: "1", content: { kind: "image", media: { id: "m", url: "x" } } },
      "content.media: unknown field url",
    ],
    [
      "/auth/login",
      { phone: "+4915112340001", password: "x", channel: "web", pin: 1 },
      "body: unknown field pin",
    ],
  ] as [string, object, string][])("is refused as a field of %s %j", async ([path, body, message]) => {
    const hub = testHub();
    const { bearer } = await begin(hub);
    const refused = await call(hub, path, post(body, path === "/session/start" ? {} : bearer));
    expect([refused.status, refused.body.error.message]).toEqual([400, message]);
  });

  test("is named in part only, if there are many", async () => {
    const names = Array.from({ length: 500 }, (_, i) => `${"n".repeat(500)}${i}`);
    const body = Object.fromEntries([["channel", "web"], ...names.map((name) => [name, 1])]);
    const { body: answer } = await call(testHub(), "/session/start", post(body));
    expect(answer.error.message.length).toBeLessThan(1_000);
  });

  test("is allowed in documents and a form's answers", async () => {
    const hub = testHub();
    const { bearer } = await begin(hub, { channel: "web", data: { anything: { deep: [1] } } });
    const form = { kind: "interaction", interaction: "form", data: { any: { thing: 1 } } };
    const sent = await call(hub, "/webhooks/web", post({ external_id: "1", content: form }, bearer));
    expect([sent.status, sent.body.message.content.data]).toEqual([200, { any: { thing: 1 } }]);
  });

  test("is forbidden in the API description too", async () => {
    const open: string[] = [];
    for (const { method, path, body } of await operationsOf(testHub()))
      if (body && !isPlatforms(path)) collectOpen(body, `${method} ${path}`, open);
    expect(open).toEqual([]);
  });
});

/** Objects with named fields that say nothing of others. */
function collectOpen(schema: Schema, at: string, open: string[]): void {
  for (const list of [schema.anyOf, schema.oneOf, schema.allOf])
    for (const one of list ?? []) collectOpen(one, at, open);
  if (schema.items) collectOpen(schema.items, `${at}[]`, open);
  if (schema.properties && schema.additionalProperties !== false) open.push(at);
  for (const [name, field] of Object.entries<Schema>(schema.properties ?? {}))
    collectOpen(field, `${at}.${name}`, open);
}
