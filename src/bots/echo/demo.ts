import type { Reply } from "../../core/content/reply.ts";

const FILES = "https://www.gstatic.com/webp/gallery";

/** One reply of each kind that stands alone, as `/demo` sends them. An edit and a deletion need an earlier message. */
export const DEMO: readonly Reply[] = [
  {
    kind: "text",
    format: "markdown",
    text: "**Bold**, _italic_, ~~gone~~, `code` and [a link](https://example.com/menu).\n- one\n- two",
  },
  { kind: "typing" },
  { kind: "image", media: { url: `${FILES}/1.jpg` }, caption: "A **picture**", format: "markdown" },
  { kind: "video", media: { url: "https://www.w3schools.com/html/mov_bbb.mp4" }, caption: "A video" },
  { kind: "audio", media: { url: "https://www.w3schools.com/html/horse.mp3" }, caption: "A sound" },
  { kind: "voice", media: { url: "https://www.w3schools.com/html/horse.ogg" } },
  {
    kind: "document",
    media: {
      url: "https://www.w3.org/WAI/ER/tests/xhtml/testfiles/resources/pdf/dummy.pdf",
      file_name: "menu.pdf",
    },
    caption: "A document",
  },
  { kind: "sticker", media: { url: `${FILES}/1.webp` } },
  {
    kind: "location",
    latitude: 52.520008,
    longitude: 13.404954,
    name: "The shop",
    address: "Alexanderplatz 1, Berlin",
  },
  { kind: "contact", contacts: [{ name: "The shop", phones: ["+4930123456", "+4930123457"] }] },
  {
    kind: "buttons",
    text: "Coffee or tea?",
    footer: "Both are hot",
    buttons: [
      { id: "coffee", title: "Coffee" },
      { id: "tea", title: "Tea" },
    ],
  },
  {
    kind: "buttons",
    text: "All we have",
    buttons: [{ url: "https://example.com/menu", title: "Open the menu" }],
  },
  {
    kind: "buttons",
    text: "Which size?",
    buttons: ["S", "M", "L", "XL"].map((size) => ({ id: `size-${size}`, title: `Size ${size}` })),
  },
  {
    kind: "list",
    header: "Menu",
    text: "What would you like?",
    button: "Choose",
    sections: [
      { title: "Cold", rows: [{ id: "lemonade", title: "Lemonade", description: "With mint" }] },
      { title: "Warm", rows: [{ id: "soup", title: "Soup" }] },
    ],
  },
  {
    kind: "list",
    text: "All twelve months",
    sections: [
      { rows: Array.from({ length: 12 }, (_, i) => ({ id: `month-${i + 1}`, title: `Month ${i + 1}` })) },
    ],
  },
  {
    kind: "list",
    text: "Answer with a number, if your messenger shows numbers",
    sections: [
      {
        rows: [
          { id: "long-1", title: "The first of two rows that are long" },
          { id: "long-2", title: "The second of two rows that are long" },
        ],
      },
    ],
  },
  {
    kind: "carousel",
    text: "Two cakes",
    cards: [
      {
        title: "Cheese cake",
        text: "Fresh today",
        image: { url: `${FILES}/2.jpg` },
        buttons: [{ id: "cake-cheese", title: "Take it" }],
      },
      {
        title: "Apple cake",
        image: { url: `${FILES}/3.jpg` },
        buttons: [{ id: "cake-apple", title: "Take it" }],
      },
    ],
  },
  { kind: "product", text: "Our coffee", product_ids: ["coffee-250"], url: "https://example.com/coffee" },
  {
    kind: "order",
    text: "Your order",
    items: [{ name: "Coffee", quantity: 2, price: 3.5, currency: "EUR" }],
    total: 7,
    currency: "EUR",
  },
  {
    kind: "template",
    name: "order_ready",
    language: "en",
    body: ["Ana"],
    fallback: "Ana, your order is ready",
  },
  { kind: "reaction", emoji: "👍" },
];
