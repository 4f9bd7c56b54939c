import { describe, expect, test } from "vitest";
import { type Content, contentSchema, mediaId, textOf } from "../../src/core/messages/content.ts";

const media = { id: "m1" };

const cases: [string, Content, string][] = [
  ["a text", { kind: "text", text: "hello" }, "hello"],
  ["an image with a caption", { kind: "image", media, caption: "look" }, "look"],
  ["an image without one", { kind: "image", media }, "[image]"],
  ["an image with an empty one", { kind: "image", media, caption: "" }, "[image]"],
  ["a video", { kind: "video", media, note: true }, "[video]"],
  ["a voice message", { kind: "audio", media, voice: true }, "[audio]"],
  ["a document", { kind: "document", media: { id: "m1", file_name: "bill.pdf" } }, "[document: bill.pdf]"],
  ["a sticker", { kind: "sticker", media, emoji: "😀" }, "😀"],
  ["a sticker without an emoji", { kind: "sticker", media, emoji: "" }, "[sticker]"],
  ["a bare location", { kind: "location", latitude: 1.5, longitude: -2 }, "1.5, -2"],
  [
    "a named location",
    { kind: "location", latitude: 1, longitude: 2, name: "Shop", address: "Main St 1" },
    "Shop\nMain St 1\n1, 2",
  ],
  [
    "contact cards",
    { kind: "contact", own: false, contacts: [{ name: "Ana", phones: ["+1", "+2"] }, { phones: ["+3"] }] },
    "Ana +1 +2\n+3",
  ],
  ["an empty contact card", { kind: "contact", own: false, contacts: [{ phones: [] }] }, "[contact]"],
  ["a button", { kind: "interaction", interaction: "button", id: "yes", title: "Yes!" }, "Yes!"],
  [
    "a button with an empty title",
    { kind: "interaction", interaction: "button", id: "yes", title: "" },
    "yes",
  ],
  ["a button without anything", { kind: "interaction", interaction: "quick_reply" }, "[quick_reply]"],
  [
    "a form",
    { kind: "interaction", interaction: "form", data: { flow_token: "t", name: "Ana", tags: ["a"] } },
    'name: Ana\ntags: ["a"]',
  ],
  [
    "a form that holds its token only",
    { kind: "interaction", interaction: "form", data: { flow_token: "t" } },
    "[form]",
  ],
  ["a form that is no JSON", { kind: "interaction", interaction: "form", data: "{oops" }, "{oops"],
  ["a reaction", { kind: "reaction", emoji: "👍" }, "👍"],
  ["a reaction taken back", { kind: "reaction", emoji: null }, ""],
  ["an order", { kind: "order", items: [{ product_id: "tea", quantity: 2 }], note: "soon" }, "soon\n2 x tea"],
  ["an empty order", { kind: "order", items: [] }, "[order]"],
  ["news of the system", { kind: "system", event: "number_changed" }, "number_changed"],
  ["news with words", { kind: "system", event: "number_changed", note: "Ana moved" }, "Ana moved"],
  ["something unreadable", { kind: "unsupported", type: "poll" }, "[unsupported: poll]"],
];

describe("what a bot reads", () => {
  test.for(cases)("of %s", ([, content, text]) => {
    expect(contentSchema.parse(content)).toEqual(content);
    expect(textOf(content)).toBe(text);
  });

  test("is shown here for every kind there is", () => {
    const kinds = contentSchema.options.map((option) => option.shape.kind.value);
    expect(new Set(cases.map(([, content]) => content.kind))).toEqual(new Set(kinds));
  });
});

test("content has no field that its kind does not have, and no address of a file", () => {
  const issuesOf = (content: object) => contentSchema.safeParse(content).error?.issues;
  expect(issuesOf({ kind: "image", media, url: "x" })).toMatchObject([{ keys: ["url"], path: [] }]);
  expect(issuesOf({ kind: "image", media: { ...media, url: "https://x.test/?token=1" } })).toMatchObject([
    { keys: ["url"], path: ["media"] },
  ]);
});

test.for(["AgACAgQAAxkBAAIBY2_-x", "1234567890", "-_.:", "_a:b", "7100:5101", "wamid.HBgM", "x".repeat(512)])(
  "a file's id may be %j",
  (id) => expect(mediaId.safeParse(id).success).toBe(true),
);

test.for([
  "",
  "https:127.0.0.1",
  "HTTPS:x",
  "vbscript:x",
  "data:,x",
  "a+b:c",
  "/etc/passwd",
  "..",
  "../x",
  ".x",
  ":80",
  "a/b",
  "a\\b",
  "a b",
  "a?b",
  "a#b",
  "a%2fb",
  "a@b",
  "id\n",
  "ïd",
  "x".repeat(513),
])("a file's id is never %j", (id) => expect(mediaId.safeParse(id).success).toBe(false));
