import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import telegram from "../../src/channels/telegram/index.ts";
import { connection, kits } from "../support/channels.ts";
import { bytesOf, toRequest } from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";

const table = /## Which updates the hub accepts from whom\n([\s\S]*?)\n## /.exec(
  readFileSync("docs/security.md", "utf8"),
)![1]!;
const types = readFileSync("node_modules/@grammyjs/types/update.d.ts", "utf8");
/** Every kind of update in the Bot API's types. */
const kinds = [...types.matchAll(/^ {4}(\w+)\?: /gm)].map(([, kind]) => kind!);

test("the table has a row for every kind of update that Telegram can send", () => {
  expect(kinds.length).toBeGreaterThan(25);
  expect(kinds.filter((kind) => !table.includes(`\`${kind}\``))).toEqual([]);
});

/** The kinds that bring messages, presses and deletions. */
const BELIEVED = [
  "message",
  "edited_message",
  "business_message",
  "edited_business_message",
  "deleted_business_messages",
  "callback_query",
  "message_reaction",
  "my_chat_member",
];

test.for(kinds.filter((kind) => !BELIEVED.includes(kind)))("%s is never stored", async (kind) => {
  const chat = { id: 7100200300, type: "private" };
  const who = { id: chat.id, is_bot: false };
  const message = { message_id: 1, chat, from: who, date: 1793620800, text: "x" };
  const everything = { ...message, id: "q", user: who, query: "x", data: "x", message, new_reaction: [] };
  const channel = telegram(kits.telegram!.env("http://127.0.0.1:9"))!;
  const inbound = await channel.parse(toRequest(bytesOf({ body: { update_id: 1, [kind]: everything } })));
  expect(inbound.length).toBeGreaterThan(0);
  for (const item of inbound) expect(item.type).toBe("ignored");
});

/** Telegram sends a bot no reactions and memberships of a business account's chats. */
test.for(BELIEVED.filter((kind) => !["message_reaction", "my_chat_member"].includes(kind)))(
  "%s through a stranger's business connection is not stored",
  async (kind) => {
    const chat = { id: 7100200300, type: "private" };
    const place = { message_id: 1, chat, date: 1793620800, business_connection_id: "bc-eve" };
    const said = {
      ...place,
      id: "q",
      from: { id: chat.id },
      text: "x",
      message_ids: [1],
      message: place,
      new_reaction: [],
    };
    const answer = { body: { ok: true, result: connection({ id: "bc-eve", user: { id: 7666600600 } }) } };
    const inbound = await withPlatform([answer], (apiRoot) =>
      telegram(kits.telegram!.env(apiRoot))!.parse(
        toRequest(bytesOf({ body: { update_id: 1, [kind]: said } })),
      ),
    );
    expect(inbound).toMatchObject([{ type: "ignored", reason: "not_ours" }]);
  },
);
