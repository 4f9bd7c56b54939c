import { describe, expect, test } from "vitest";
import { withoutLinkToken } from "../../src/core/identity/link.ts";
import type { Content } from "../../src/core/messages/content.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import type { InboundEvent } from "../../src/core/receive/conversations.ts";

const TOKEN = `link_${"aB3-_".repeat(6)}xy`;
const text = `/start ${TOKEN}`;
const media = { id: "file-1" };

const message = (content: Content, more: Partial<InboundMessage> = {}): InboundEvent => ({
  type: "message",
  message: {
    channel: "telegram",
    account: "bot-1",
    external_id: "1",
    from: { telegram_chat_id: "11" },
    address: { chat_id: "11" },
    content,
    wakes: true,
    ...more,
  },
});

describe("a link token is not redeemed and not stored", () => {
  test.for<[string, InboundEvent]>([
    ["in a forwarded text", message({ kind: "text", text, context: { forwarded: true } })],
    ["in an answer to another message", message({ kind: "text", text }, { reply_to: "0" })],
    ["where others read along", message({ kind: "text", text }, { address_of: null })],
    ["in a caption", message({ kind: "image", media, caption: text })],
    ["as a file's name", message({ kind: "document", media: { ...media, file_name: `${TOKEN}.pdf` } })],
    ["on a button", message({ kind: "interaction", interaction: "button", id: TOKEN, title: text })],
    ["in a form", message({ kind: "interaction", interaction: "form", data: { a: [{ b: text }] } })],
    [
      "in a contact card",
      message({ kind: "contact", contacts: [{ name: text, phones: [TOKEN] }], own: true }),
    ],
    ["at a place", message({ kind: "location", latitude: 1, longitude: 2, name: text })],
    ["in an order", message({ kind: "order", items: [], note: text })],
    ["in what the hub cannot read", message({ kind: "unsupported", type: "poll", note: text })],
    ["in the ad that led here", message({ kind: "text", text: "hi", context: { referral: { body: text } } })],
    [
      "in words of the shop's own",
      {
        type: "echo",
        echo: { channel: "c", external_id: "1", to: { phone: "+1" }, content: { kind: "text", text } },
      },
    ],
    [
      "in an edited text",
      { type: "edit", edit: { channel: "c", external_id: "1", content: { kind: "text", text } } },
    ],
    [
      "in an edited caption",
      {
        type: "edit",
        edit: { channel: "c", external_id: "1", content: { kind: "image", media, caption: text } },
      },
    ],
  ])("%s", async ([, item]) => {
    const kept = await withoutLinkToken(item);
    expect(JSON.stringify(kept)).toBe(JSON.stringify(item).replaceAll(TOKEN, "link_…"));
  });
});

test("a deletion holds no link token", async () => {
  const edit: InboundEvent = { type: "edit", edit: { channel: "link_", external_id: "1", content: null } };
  expect(await withoutLinkToken(edit)).toEqual(edit);
});
