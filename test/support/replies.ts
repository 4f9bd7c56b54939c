import type { Fields } from "../../dev/emulators/fields.ts";
import { DEMO } from "../../src/bots/echo/demo.ts";
import type { Reply } from "../../src/core/content/reply.ts";

const id = "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11";
const many = (count: number, title: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => ({ id: `choice ${i}`, title: title(i) }));

/** A reply of every kind, and replies at and past the limits of each platform. */
export const REPLIES: readonly Reply[] = [
  ...DEMO,
  { kind: "edit", message_id: id, text: "now **seven**", format: "markdown" },
  { kind: "delete", message_id: id },
  { kind: "pin", message_id: id },
  { kind: "pin", message_id: id, pinned: false },
  { kind: "text", text: "plain *stars* and _lines_ are left alone" },
  { kind: "text", text: "word ".repeat(2_000) },
  { kind: "text", text: "**fat** words ".repeat(1_000), format: "markdown" },
  { kind: "image", media: { id: "AgACAgIAAxkBAAIB" }, caption: "c".repeat(1_024) },
  { kind: "image", media: { url: "https://example.com/a.png" }, caption: "long words ".repeat(200) },
  { kind: "document", media: { url: "https://example.com/a.pdf", file_name: "a.pdf" } },
  { kind: "location", latitude: -90, longitude: 180 },
  {
    kind: "contact",
    contacts: Array.from({ length: 12 }, (_, i) => ({ name: `Person ${i}`, phones: [`+4930${i}00000`] })),
  },
  { kind: "contact", contacts: [{ name: "A;b,c\\d\r\nTEL:1", phones: ["+493012", "+493013"] }] },
  { kind: "buttons", text: "t ".repeat(1_500), buttons: many(2, (i) => `Choice ${i}`) },
  {
    kind: "buttons",
    text: "Ids that no platform takes",
    buttons: ["i", "j"].map((c) => ({ id: c.repeat(900), title: c })),
  },
  {
    kind: "buttons",
    text: "Ids like the hub's own",
    buttons: [
      { id: "#2", title: "one" },
      { id: "#1", title: "two" },
    ],
  },
  {
    kind: "buttons",
    text: "Titles alike",
    buttons: [
      { id: "a", title: "Same" },
      { id: "b", title: "Same" },
    ],
  },
  { kind: "buttons", text: "Long titles", buttons: many(3, (i) => `A title of more than twenty ${i}`) },
  { kind: "buttons", text: "Thirty", buttons: many(30, (i) => `Choice ${i}`) },
  { kind: "buttons", text: "A hundred", buttons: many(100, (i) => `Choice ${i}`) },
  {
    kind: "buttons",
    text: "Both kinds",
    header: "Header",
    footer: "Footer",
    buttons: [
      { id: "yes", title: "Yes" },
      { url: "https://example.com/why", title: "Why?" },
    ],
  },
  {
    kind: "buttons",
    text: "Two links",
    buttons: [
      { url: "https://example.com/a", title: "A" },
      { url: "https://example.com/b", title: "B" },
    ],
  },
  { kind: "list", text: "L ".repeat(900), sections: [{ rows: many(10, (i) => `Row ${i}`) }] },
  {
    kind: "list",
    text: "Wide",
    sections: [
      {
        title: "s".repeat(80),
        rows: [{ id: "r".repeat(1_000), title: "t".repeat(80), description: "d".repeat(200) }],
      },
    ],
  },
  {
    kind: "list",
    text: "Sections over pages",
    sections: [
      { rows: many(8, (i) => `First ${i}`) },
      {
        title: "Second",
        rows: [
          { id: " edge ", title: "Edge" },
          { id: "x", title: "X" },
          { id: "y", title: "Y" },
        ],
      },
    ],
  },
  {
    kind: "carousel",
    cards: [
      { title: "Bare" },
      { title: "Linked", buttons: [{ url: "https://example.com/x", title: "Look" }] },
      {
        title: "Many",
        image: { url: "https://example.com/x.png" },
        buttons: many(3, (i) => `A title of more than twenty ${i}`),
      },
      {
        title: "Long",
        text: "x ".repeat(500),
        image: { url: "https://example.com/x.png" },
        buttons: [{ id: "m", title: "M" }],
      },
    ],
  },
  { kind: "product", text: "Several", catalog_id: "c-1", product_ids: ["a", "b"] },
  { kind: "product", text: "One", catalog_id: "c-1", product_ids: ["a"] },
  { kind: "reaction", emoji: null, message_id: id },
];

/** The words, names, links and phones of a reply, all of which a customer has to see in some form. */
export function wordsOf(reply: Reply): string[] {
  const {
    kind: _,
    format,
    message_id: __,
    numbered: ___,
    ...rest
  } = reply as Reply & { format?: string; message_id?: string; numbered?: boolean };
  if (reply.kind === "template") return Object.values(reply.body ?? []);
  if (reply.kind === "product" && reply.url) return [reply.text, reply.url];
  if (reply.kind === "product" && reply.catalog_id) return [reply.text, ...reply.product_ids];
  const words: string[] = [];
  const visit = (value: unknown, name: string) => {
    if (typeof value === "string" && !["id", "file_name", "currency", "button"].includes(name))
      words.push(...piecesOf(value, format));
    else if (Array.isArray(value)) for (const item of value) visit(item, name);
    else if (typeof value === "object" && value !== null)
      for (const [key, item] of Object.entries(value)) visit(item, key);
  };
  visit(rest, "");
  return words;
}

/** A text as words, without marks: a platform may break it anywhere between them. */
function piecesOf(text: string, format: string | undefined): string[] {
  const plain =
    format === "markdown" ? text.replaceAll(/\*\*|~~|[_`[\]]|^- /gm, "").replaceAll(/[()]/g, " ") : text;
  return plain.split(/[\s,.;\\]+/).filter((word) => word !== "");
}

/** All that a customer can see of the calls that an emulator has listed, in one text. */
export function seenIn(sent: readonly Fields[]): string {
  const seen: string[] = [];
  const visit = (value: unknown) => {
    if (typeof value === "string") seen.push(value.replaceAll("\u{200b}", ""));
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
  };
  visit(sent);
  return seen.join("\n");
}
