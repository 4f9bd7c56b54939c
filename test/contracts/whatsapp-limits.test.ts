import { expect, test } from "vitest";
import type { Fields } from "../../dev/emulators/fields.ts";
import { wrongInMessage } from "../../dev/emulators/whatsapp-schema.ts";

const message = (type: string, object: unknown): Fields => ({
  messaging_product: "whatsapp",
  to: "4915112345601",
  type,
  [type]: object,
});
const x = (length: number) => "x".repeat(length);
const times = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
const interactive = (part: Fields) => message("interactive", { body: { text: "b" }, ...part });
const buttons = (count: number, over: Fields = {}) =>
  interactive({
    type: "button",
    action: {
      buttons: times(count, (i) => ({ type: "reply", reply: { id: `i${i}`, title: `t${i}`, ...over } })),
    },
    ...(over.header ? { header: over.header } : {}),
  });
const around = (part: Fields) => interactive({ type: "button", action: one, ...part });
const one = { buttons: [{ type: "reply", reply: { id: "i", title: "t" } }] };
const rows = (count: number, over: Fields = {}) =>
  times(count, (i) => ({ id: `r${i}`, title: `t${i}`, ...over }));
const list = (sections: unknown[], button = "Choose") =>
  interactive({ type: "list", action: { button, sections } });
const products = (sections: unknown[]) =>
  interactive({
    type: "product_list",
    header: { type: "text", text: "h" },
    action: { catalog_id: "c", sections },
  });
const items = (count: number) => times(count, (i) => ({ product_retailer_id: `p${i}` }));
const flow = (over: Fields) =>
  interactive({
    type: "flow",
    action: {
      name: "flow",
      parameters: { flow_message_version: "3", flow_id: "1", flow_cta: "Sign up", ...over },
    },
  });
const template = (component: Fields) =>
  message("template", { name: "n", language: { code: "en" }, components: [component] });

/** Every length and count of Meta's description that concerns messages: a body with this much, the least and the most. */
const LIMITS: readonly [name: string, body: (size: number) => Fields, most: number, least?: number][] = [
  ["text.body", (n) => message("text", { body: x(n) }), 4096, 1],
  ["image.caption", (n) => message("image", { id: "1", caption: x(n) }), 1024],
  ["video.caption", (n) => message("video", { link: "https://a.example/v", caption: x(n) }), 1024],
  ["document.caption", (n) => message("document", { id: "1", caption: x(n) }), 1024],
  ["header.text", (n) => around({ header: { type: "text", text: x(n) } }), 60],
  ["header.sub_text", (n) => around({ header: { type: "text", text: "h", sub_text: x(n) } }), 60],
  ["body.text", (n) => around({ body: { text: x(n) } }), 1024, 1],
  ["footer.text", (n) => around({ footer: { text: x(n) } }), 60],
  ["action.buttons", (n) => buttons(n), 3, 1],
  ["button.id", (n) => buttons(1, { id: x(n) }), 256, 1],
  ["button.title", (n) => buttons(1, { title: x(n) }), 20, 1],
  ["action.button", (n) => list([{ rows: rows(1) }], x(n)), 20, 1],
  [
    "list sections",
    (n) => list(times(n, (i) => ({ title: `s${i}`, rows: [{ id: `r${i}`, title: "t" }] }))),
    10,
    1,
  ],
  ["section.rows", (n) => list([{ rows: rows(n) }]), 10, 1],
  ["section.title", (n) => list([{ title: x(n), rows: rows(1) }]), 24],
  ["row.id", (n) => list([{ rows: rows(1, { id: x(n) }) }]), 200, 1],
  ["row.title", (n) => list([{ rows: rows(1, { title: x(n) }) }]), 24, 1],
  ["row.description", (n) => list([{ rows: rows(1, { description: x(n) }) }]), 72],
  [
    "product sections",
    (n) => products(times(n, (i) => ({ title: `s${i}`, product_items: items(1) }))),
    10,
    1,
  ],
  ["section.product_items", (n) => products([{ product_items: items(n) }]), 30, 1],
  ["flow_cta", (n) => flow({ flow_cta: x(n) }), 30, 1],
  [
    "contacts",
    (n) =>
      message(
        "contacts",
        times(n, (i) => ({ name: { formatted_name: `n${i}`, first_name: "n" }, phones: [{ phone: "+49" }] })),
      ),
    5,
    1,
  ],
  [
    "biz_opaque_callback_data",
    (n) => ({ ...message("text", { body: "b" }), biz_opaque_callback_data: x(n) }),
    512,
  ],
  [
    "template parameter",
    (n) => template({ type: "body", parameters: [{ type: "text", text: x(n) }] }),
    32_768,
  ],
  [
    "template parameters",
    (n) => template({ type: "header", parameters: times(n, () => ({ type: "text", text: "p" })) }),
    100,
    1,
  ],
];

test.each(LIMITS)("%s is checked at its limits", (name, body, most, least) => {
  expect(wrongInMessage(body(most))).toBeUndefined();
  if (name !== "template parameters") expect(wrongInMessage(body(most + 1))).toEqual(expect.any(String));
  if (least === undefined) return;
  expect(wrongInMessage(body(least))).toBeUndefined();
  expect(wrongInMessage(body(least - 1))).toEqual(expect.any(String));
});

test.each<[string, Fields]>([
  ["a list of products without a catalog", interactive({ type: "product_list", action: { sections: [] } })],
  ["a flow with two names", flow({ flow_name: "n" })],
  ["a flow of another version", flow({ flow_message_version: "2" })],
  ["a request for a place without its action", interactive({ type: "location_request_message" })],
  ["an unknown kind of interactive message", interactive({ type: "hologram" })],
  ["an id with a space at its edge", buttons(1, { id: " a" })],
  ["two rows with one id", list([{ rows: [...rows(1), ...rows(1)] }])],
  ["sections without titles", list([{ rows: rows(1) }, { rows: rows(1, { id: "b" }) }])],
  ["a field that the API does not have", { ...message("text", { body: "b" }), markdown: true }],
])("%s is refused", (_, body) => {
  expect(wrongInMessage(body)).toEqual(expect.any(String));
});
