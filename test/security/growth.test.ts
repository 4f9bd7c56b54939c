import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/core/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { begin, post } from "../support/http.ts";
import { call, keys, strictHub } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const SETTINGS = { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 };
const PHONE = "+4915112340001";

let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 2, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

const STORES: [string, () => Store][] = [
  ["memory", () => memoryStore(SETTINGS)],
  ["Postgres", () => sqlStore(direct.call, SETTINGS)],
];
const block = (name: string, kilobytes = 60) => ({ [name]: "x".repeat(kilobytes * 1024) });

describe.each(STORES)("a session over %s", (_, store) => {
  test("grows to 256 KiB of data and metadata and no further, also by small updates", async () => {
    const hub = strictHub({}, { store: store() });
    const { bearer, id } = await begin(hub);
    const update = (body: object) => call(hub, "/session/update", post(body, bearer));
    for (const name of ["a", "b"]) expect((await update({ data: block(name) })).status).toBe(200);
    for (const name of ["a", "b"]) expect((await update({ metadata: block(name) })).status).toBe(200);
    const before = (await call(hub, `/api/sessions/${id}/export`, { headers: keys.admin })).body;
    for (const body of [
      { data: block("c") },
      { metadata: block("c") },
      { data: block("c"), message: "kept?" },
    ]) {
      const refused = await update({ ...body, language: "de" });
      expect([refused.status, refused.code]).toEqual([413, "payload_too_large"]);
    }
    const after = (await call(hub, `/api/sessions/${id}/export`, { headers: keys.admin })).body;
    expect(after).toEqual(before);
    expect((await update({ data: { a: null } })).status).toBe(200);
    expect((await update({ data: block("c") })).status).toBe(200);
    expect((await update({ message: "Hello", language: "de" })).status).toBe(200);
  });

  test("does not grow by repeated starts", async () => {
    const hub = strictHub({}, { store: store() });
    const start = (name: string) =>
      call(hub, "/session/start", post({ phone: PHONE, channel: "web", data: block(name) }, keys.web));
    for (const name of ["a", "b", "c", "d"]) expect((await start(name)).status).toBe(200);
    expect((await start("e")).code).toBe("payload_too_large");
    const without = await call(hub, "/session/start", post({ phone: PHONE, channel: "web" }, keys.web));
    expect([without.status, Object.keys(without.body.session.data).length]).toEqual([200, 5]);
  });

  test("that a merge made larger may still shrink", async () => {
    const hub = strictHub({}, { store: store() });
    const web = await begin(hub, { phone: "+4915112340002", channel: "web" }, keys.web);
    const anonymous = await begin(hub);
    for (const [name, { bearer }] of [
      ["w", web],
      ["a", anonymous],
    ] as const)
      for (const i of [1, 2, 3])
        await call(hub, "/session/update", post({ data: block(`${name}${i}`) }, bearer));
    await call(hub, "/auth/signup", post({ password: "correct horse battery" }, web.bearer));
    const login = { phone: "+4915112340002", password: "correct horse battery", channel: "web" };
    const { body } = await call(hub, "/auth/login", post(login, anonymous.bearer));
    expect(Object.keys(body.session.data)).toHaveLength(7);
    const headers = { authorization: `Bearer ${body.session_token}` };
    expect((await call(hub, "/session/update", post({ data: { more: 1 } }, headers))).status).toBe(413);
    expect((await call(hub, "/session/update", post({ data: { a1: null } }, headers))).status).toBe(200);
  });
});
