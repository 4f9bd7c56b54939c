import { expect, test } from "vitest";
import { post, testHub } from "../support/http.ts";

const shop = "https://shop.example";
const pages = { ids: ["shop-2026"], origins: ["https://chat.example"], secrets: ["signing-secret"] };

test("GET /api/config says what a page shows before anybody has signed in", async () => {
  const answer = await testHub().request("/api/config");
  expect([answer.status, await answer.json()]).toEqual([
    200,
    {
      country: "DE",
      languages: expect.arrayContaining(["en", "ar"]),
      messengers: expect.arrayContaining(["telegram", "whatsapp"]),
      uploads: null,
      kiosk: { needs_key: false, phones: "trust" },
    },
  ]);
  expect(answer.headers.get("cache-control")).toBe("public, max-age=60");
});

test("GET /api/config names no key, no token and no public id", async () => {
  const hub = testHub({}, { publicPages: pages, kioskPhones: "verify" });
  const text = await (await hub.request("/api/config")).text();
  expect(text).not.toMatch(/web-key|kiosk-key|admin-key|secret|shop-2026|chat\.example/);
  expect(JSON.parse(text).kiosk).toEqual({ needs_key: true, phones: "verify" });
});

test.for([
  [shop, shop],
  ["https://chat.example", "https://chat.example"],
  ["https://evil.example", null],
])("GET /api/config from %s may be read by %s, also from a shared cache", async ([origin, allowed]) => {
  const hub = testHub({}, { publicPages: pages });
  const answer = await hub.request("/api/config", { headers: { origin: origin! } });
  expect(answer.status).toBe(200);
  expect(answer.headers.get("access-control-allow-origin")).toBe(allowed);
  expect(answer.headers.get("vary")).toMatch(/origin/i);
});

test.for(["?public_id=another", "?key=web-key"])(
  "GET /api/config%s is refused: it asks for nothing",
  async (query) => {
    const answer = await testHub({}, { publicPages: pages }).request(`/api/config${query}`);
    expect(answer.status).toBe(400);
  },
);

test("an unknown public id opens no session, whatever the page's origin", async () => {
  const hub = testHub({}, { publicPages: pages });
  for (const origin of ["https://chat.example", "https://evil.example"]) {
    const body = { channel: "web", public_id: "another" };
    const answer = await hub.request("/session/start", post(body, { origin }));
    expect([origin, answer.status]).toEqual([origin, 401]);
  }
});
