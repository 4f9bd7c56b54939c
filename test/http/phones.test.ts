import { expect, test } from "vitest";
import { begin, post, testHub } from "../support/http.ts";

const web = { "x-api-key": "web-key" };
/** With Germany as default country this may be a number of Göttingen, or one of São Paulo without its plus. */
const EITHER = "5511987654321";

test.for([
  "+49 551 1987654",
  "(+49) 551 1987654",
  "tel:+49-551-1987654",
  "\u202a+49\u00a0551\t1987654\u202c",
  "0551 1987654",
])("%j finds its customer", async (phone) => {
  const hub = testHub();
  const one = await begin(hub, { channel: "web", phone: "+495511987654" }, web);
  expect((await begin(hub, { channel: "web", phone }, web)).id).toBe(one.id);
  const query = new URLSearchParams({ phone });
  const found = (await (await hub.request(`/session/restore?${query}`, { headers: web })).json()) as any;
  expect(found.session.session_id).toBe(one.id);
});

test.for<[method: "GET" | "POST", path: string, body?: object]>([
  ["POST", "/session/start", { channel: "web", phone: EITHER }],
  ["GET", `/session/restore?phone=${EITHER}`],
  ["POST", "/session/verify", { phone: EITHER }],
  ["POST", "/auth/login", { phone: EITHER, password: "correct horse battery", channel: "web" }],
  ["POST", "/webhooks/web", { external_id: "1", phone: EITHER, text: "Hello" }],
])(
  "%s %s refuses digits that may be several people's, and says so in its description",
  async ([method, path, body]) => {
    const hub = testHub();
    const response = await hub.request(path, body ? post(body, web) : { headers: web });
    const { error } = (await response.json()) as any;
    expect([response.status, error.code]).toEqual([400, "phone_ambiguous"]);
    expect(error.message).toMatch(/^phone: .* with \+ and the country's prefix$/);
    expect(error.message).not.toContain(EITHER);
    const { paths } = (await (await hub.request("/openapi.json")).json()) as any;
    const { responses } = paths[path.split("?")[0]!][method.toLowerCase()];
    expect(responses["400"].description).toContain("`phone_ambiguous`");
  },
);
