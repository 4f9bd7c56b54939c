import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { publicPagesOf } from "../../src/compose/public-pages.ts";
import { post, type TestHub, testHub } from "../support/http.ts";

const SECRET = "a secret of the shop's own server";
const NEXT = "the secret that will replace that one";
const PUBLIC = {
  ids: ["shop-2026", "shop-2025"],
  origins: ["https://pages.example"],
  secrets: [NEXT, SECRET],
};
const PAGE = { origin: "https://pages.example" };
const HOUR = 3_600;

const shop = () => testHub({}, { publicPages: PUBLIC });
const page = { channel: "web", public_id: "shop-2026" };

async function start(hub: TestHub, body: object, headers: Record<string, string> = PAGE) {
  const answer = await hub.request("/session/start", post(body, headers));
  const said = (await answer.json()) as any;
  return { status: answer.status, code: said.error?.code, session: said.session, token: said.session_token };
}

/** The customer as the shop's server signs them. */
function signed(hub: TestHub, customer_id: string | number, inS = HOUR, secret = SECRET) {
  const expires_at = Math.floor(hub.clock.now.getTime() / 1_000) + inS;
  const signature = createHmac("sha256", secret).update(`${customer_id}.${expires_at}`).digest("hex");
  return { customer_id, expires_at, signature };
}

describe("a page with the public id", () => {
  test("opens anonymous sessions, with each id of the list", async () => {
    const hub = shop();
    for (const public_id of PUBLIC.ids) {
      const { status, session } = await start(hub, { ...page, public_id, data: { cart: ["tea"] } });
      expect([status, session.customer_id, session.data.cart]).toEqual([200, null, ["tea"]]);
    }
  });

  test("may be called by pages of its origins", async () => {
    const answer = await shop().request("/session/start", post(page, PAGE));
    expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE.origin);
  });

  test.for([
    ["no public id", { channel: "web" }, PAGE, 401, "unauthorized"],
    ["another public id", { ...page, public_id: "shop-2024" }, PAGE, 401, "unauthorized"],
    ["another origin", page, { origin: "https://evil.example" }, 403, "forbidden"],
    [
      "an origin that only begins like it",
      page,
      { origin: "https://pages.example.evil.example" },
      403,
      "forbidden",
    ],
    ["an origin of CORS_ORIGINS alone", page, { origin: "https://shop.example" }, 403, "forbidden"],
    ["a page without an origin", page, { origin: "null" }, 403, "forbidden"],
    ["no origin at all", page, {}, 403, "forbidden"],
    ["another channel", { ...page, channel: "kiosk" }, PAGE, 403, "forbidden"],
    ["another channel, and no public id", { channel: "kiosk" }, PAGE, 401, "unauthorized"],
    ["a phone", { ...page, phone: "+4915112345601" }, PAGE, 401, "unauthorized"],
    ["a customer_id that nobody has signed", { ...page, customer_id: "104" }, PAGE, 401, "unauthorized"],
  ] as [string, object, Record<string, string>, number, string][])(
    "opens none with %s",
    async ([_what, body, headers, status, code]) => {
      expect(await start(shop(), body, headers)).toMatchObject({ status, code });
    },
  );

  test("an API key needs none, and is not mixed with one", async () => {
    const key = { "x-api-key": "web-key" };
    expect(await start(shop(), { channel: "web", customer_id: "104" }, key)).toMatchObject({ status: 200 });
    expect(await start(shop(), page, key)).toMatchObject({ status: 400, code: "malformed" });
  });

  test("is nothing at a hub without the setting", async () => {
    const hub = testHub();
    expect(await start(hub, page)).toMatchObject({ status: 401, code: "unauthorized" });
    expect(await start(hub, { channel: "web", identity: signed(hub, "104") })).toMatchObject({ status: 401 });
    expect(await start(hub, { channel: "web" })).toMatchObject({ status: 200 });
  });
});

describe("a signed customer", () => {
  test.each([SECRET, NEXT])("finds their own session", async (secret) => {
    const hub = shop();
    const { session } = await start(hub, { channel: "web", customer_id: 104 }, { "x-api-key": "web-key" });
    for (const customer_id of ["104", 104]) {
      const found = await start(hub, { ...page, identity: signed(hub, customer_id, HOUR, secret) });
      expect([found.status, found.session.session_id]).toEqual([200, session.session_id]);
    }
  });

  test("is not believed under any other name, time or secret", async () => {
    const hub = shop();
    await start(hub, { channel: "web", customer_id: "105" }, { "x-api-key": "web-key" });
    const own = signed(hub, "104");
    const forged = [
      { ...own, customer_id: "105" },
      { ...own, customer_id: `104.${own.expires_at}` },
      { ...own, expires_at: own.expires_at + 1 },
      { ...own, signature: own.signature.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")) },
      { ...own, signature: createHmac("sha256", SECRET).update("104").digest("hex") },
      signed(hub, "104", HOUR, "another secret of thirty-two or so"),
      signed(hub, "104", HOUR, ""),
      signed(hub, "104", -1),
      signed(hub, "104", 0),
      signed(hub, "104", 25 * HOUR),
    ];
    for (const identity of forged)
      expect(await start(hub, { ...page, identity })).toMatchObject({ status: 401, code: "unauthorized" });
    expect(
      await start(hub, { ...page, identity: { ...own, signature: own.signature.toUpperCase() } }),
    ).toMatchObject({
      status: 400,
    });
  });

  test("is not believed from another origin or without the public id", async () => {
    const hub = shop();
    const identity = signed(hub, "104");
    const evil = { origin: "https://evil.example" };
    expect(await start(hub, { ...page, identity }, evil)).toMatchObject({ status: 403 });
    expect(await start(hub, { channel: "web", identity })).toMatchObject({ status: 401 });
  });

  test("is believed again until the signature expires, each time with another token, and not after", async () => {
    const hub = shop();
    const identity = signed(hub, "104", 60);
    const tokens = [await start(hub, { ...page, identity }), await start(hub, { ...page, identity })];
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(2);
    expect(tokens[0]!.session.session_id).toBe(tokens[1]!.session.session_id);
    hub.clock.now = new Date(hub.clock.now.getTime() + 61_000);
    expect(await start(hub, { ...page, identity })).toMatchObject({ status: 401 });
  });

  test("is never believed while the hub has no secret", async () => {
    const hub = testHub({}, { publicPages: { ...PUBLIC, secrets: [] } });
    for (const secret of [SECRET, ""])
      expect(await start(hub, { ...page, identity: signed(hub, "104", HOUR, secret) })).toMatchObject({
        status: 401,
      });
  });

  test("no log line holds the signature, nor the customer's name", async () => {
    const hub = shop();
    const identity = signed(hub, "customer-4711");
    await start(hub, { ...page, identity });
    await start(hub, { ...page, identity: { ...identity, customer_id: "customer-4712" } });
    expect(JSON.stringify(hub.lines)).not.toMatch(new RegExp(`${identity.signature}|customer-471`));
  });
});

test.for([
  [{}, undefined],
  [{ WEB_PUBLIC_ID: "shop-2026" }, "WEB_PUBLIC_ORIGINS is missing"],
  [{ WEB_PUBLIC_ORIGINS: "https://pages.example" }, "WEB_PUBLIC_ID is missing"],
  [{ WEB_IDENTITY_SECRET: SECRET }, "WEB_PUBLIC_ID is missing"],
  [{ WEB_PUBLIC_ID: "x", WEB_PUBLIC_ORIGINS: "https://pages.example" }, "WEB_PUBLIC_ID must be"],
  [{ WEB_PUBLIC_ID: "shop-2026", WEB_PUBLIC_ORIGINS: "*" }, "WEB_PUBLIC_ORIGINS must be"],
  [
    { WEB_PUBLIC_ID: "shop-2026", WEB_PUBLIC_ORIGINS: "https://pages.example", WEB_IDENTITY_SECRET: "short" },
    "WEB_IDENTITY_SECRET must have",
  ],
] as [Record<string, string>, string | undefined][])("the settings %j give %s", ([env, problem]) => {
  if (problem) expect(() => publicPagesOf(env)).toThrow(problem);
  else expect(publicPagesOf(env)).toBeUndefined();
});

test("the settings reach the hub", () => {
  const env = {
    WEB_PUBLIC_ID: "shop-2026, shop-2025",
    WEB_PUBLIC_ORIGINS: PAGE.origin,
    WEB_IDENTITY_SECRET: SECRET,
  };
  expect(publicPagesOf(env)).toEqual({ ids: PUBLIC.ids, origins: PUBLIC.origins, secrets: [SECRET] });
});
