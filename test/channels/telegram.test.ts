import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import telegram from "../../src/channels/telegram/index.ts";
import { HubError } from "../../src/core/errors.ts";
import { contentSchema } from "../../src/core/messages/content.ts";
import type { Inbound } from "../../src/core/messages/message.ts";
import { connection, kits } from "../support/channels.ts";
import { bytesOf, fixturesWith, jsonFiles, type RequestFixture, toRequest } from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";

const kit = kits.telegram!;
const part = { kind: "text", text: "Noted." } as const;
const asked = { ok: true, result: connection() };
const sent = { ok: true, result: { message_id: 901 } };

test("events have content of a known kind, valid instants and ids of text", async () => {
  const recorded = jsonFiles("../shared/fixtures/telegram").map(([, body]) => ({ body }));
  const written = fixturesWith<RequestFixture>("telegram", "request").flatMap(([, { request, error }]) =>
    error ? [] : [request],
  );
  for (const request of [...written, ...recorded]) {
    for (const item of await read(request)) {
      const { content, at, ids } = facts(item);
      if (content) expect(contentSchema.parse(content)).toEqual(content);
      for (const instant of at) expect(instant.getTime()).toBeGreaterThan(0);
      for (const id of ids) expect(id).toMatch(/^[\w-]+(:[\w-]+)*$/);
    }
  }
});

test("the same message id in another chat or business account is another message", async () => {
  const ids = new Set<string>();
  for (const chat_id of [7100200300, 7100200301]) {
    for (const business_connection_id of [undefined, "bc-A", "bc-B"]) {
      const kind = business_connection_id ? "business_message" : "message";
      const said = {
        message_id: 5101,
        chat: { id: chat_id, type: "private" },
        from: { id: chat_id, is_bot: false },
        text: "x",
        business_connection_id,
      };
      const [read] = await parse({ update_id: 1, [kind]: said });
      if (read?.type === "message") ids.add(read.message.external_id);
    }
  }
  expect(ids.size).toBe(6);
});

test("an edited or deleted business message keeps its id, and so does a reply to it", async () => {
  const place = { chat: { id: 7100200300, type: "private" }, business_connection_id: "bc-A" };
  const said = { ...place, message_id: 5101, from: { id: 7100200300, is_bot: false }, text: "x" };
  const all = [
    ...(await parse({ update_id: 1, business_message: said })),
    ...(await parse({ update_id: 2, edited_business_message: said })),
    ...(await parse({ update_id: 3, deleted_business_messages: { ...place, message_ids: [5101] } })),
  ];
  expect(new Set(all.map((item) => facts(item).ids[0]))).toEqual(new Set(["bc-A:7100200300:5101"]));
  const result = { ok: true, result: { message_id: 5101 } };
  await withBotApi({ sendMessage: result, getBusinessConnection: asked }, async (send) => {
    expect(await send({ chat_id: "7100200300", business_connection_id: "bc-A" })).toBe(
      "bc-A:7100200300:5101",
    );
  });
});

test("an update with two events loses neither", async () => {
  const said = { message_id: 1, chat: { id: 5, type: "private" }, from: { id: 5, is_bot: false }, text: "x" };
  const read = await parse({ update_id: 1, telepathy: {}, message: said });
  expect(read.map((item) => item.type)).toEqual(["ignored", "message"]);
});

test.for([
  ["TELEGRAM_BOT_TOKEN", "without a bot's id", "not-a-token"],
  ["TELEGRAM_BOT_TOKEN", "with a space", "123:spaces in it"],
  ["TELEGRAM_WEBHOOK_SECRET", "of other letters", "not allowed!"],
  ["TELEGRAM_WEBHOOK_SECRET", "of 257 letters", "x".repeat(257)],
  ["TELEGRAM_API_ROOT", "of another protocol", "ftp://127.0.0.1"],
  ["TELEGRAM_BOT_USERNAME", "that is an address", "https://t.me/secret"],
] as const)("a %s %s is named and not shown", ([name, , value]) => {
  const make = () => telegram({ ...kit.env("http://127.0.0.1:9"), [name]: value });
  expect(make).toThrow(
    expect.objectContaining({ code: "misconfigured", message: expect.stringContaining(name) }),
  );
  expect(make).not.toThrow(value);
});

test("the link to scan opens the chat with the bot, and there is none without its name", () => {
  const env = kit.env("http://127.0.0.1:9");
  expect(telegram(env)!.scanLink!("link_x")).toBeUndefined();
  const named = telegram({ ...env, TELEGRAM_BOT_USERNAME: "@shop_bot" })!;
  expect(named.scanLink!("link_x")).toBe("https://t.me/shop_bot?start=link_x");
});

test("an API root with a slash at its end works the same", async () => {
  await withBotApi({ sendMessage: sent }, async (send) => {
    expect(await send({ chat_id: "7100200300" }, "/")).toBe("7100200300:901");
  });
});

test.for([
  ["a refusal", { ok: false, error_code: 403, description: "Forbidden" }],
  ["a cut line", "cut"],
  ["a refusal without a code", { ok: false }],
  ["an answer without a message", { ok: true }],
] as const)("%s reaches us without anything of the call that met it", async ([, answer]) => {
  await withBotApi({ sendMessage: answer }, async (send) => {
    const error = await send({ chat_id: "7100200300" }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HubError);
    expect(["403", "network"]).toContain((error as HubError).reason);
    expect(error).toHaveProperty("cause", undefined);
  });
});

function parse(update: object): Promise<Inbound[]> {
  return read({ body: update });
}

function read(request: RequestFixture["request"]): Promise<Inbound[]> {
  return withPlatform([kit.whileReading!], (apiRoot) =>
    telegram(kit.env(apiRoot))!.parse(toRequest(bytesOf(request))),
  );
}

/** The content, instants and ids of an event, its own `external_id` first. */
function facts(item: Inbound) {
  if (item.type === "message") {
    const { content, sent_at, external_id, from, reply_to } = item.message;
    const people = Object.values(from).map((id) => id!.replace("+", ""));
    return {
      content,
      at: sent_at ? [sent_at] : [],
      ids: [external_id, ...people, ...(reply_to ? [reply_to] : [])],
    };
  }
  if (item.type === "edit") {
    const { content, at, external_id } = item.edit;
    return { content, at: at ? [at] : [], ids: [external_id] };
  }
  if (item.type === "echo") {
    const { content, sent_at, external_id } = item.echo;
    return { content, at: sent_at ? [sent_at] : [], ids: [external_id] };
  }
  return { content: undefined, at: [], ids: [] };
}

type Send = (to: Record<string, string>, afterRoot?: string) => Promise<string>;

/**
 * Simulates the Bot API on loopback. It has one answer per method, because the order of calls to several methods
 * varies.
 */
async function withBotApi(
  answers: Record<string, object | "hang" | "cut">,
  work: (send: Send, calls: Record<string, unknown[]>) => Promise<void>,
): Promise<void> {
  const calls: Record<string, unknown[]> = {};
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const method = /^\/bot110201543:test-bot-token\/(\w+)$/.exec(request.url ?? "")?.[1] ?? "wrong path";
    calls[method] = [...(calls[method] ?? []), JSON.parse(text)];
    const answer = answers[method];
    if (answer === "hang") return;
    if (answer === "cut") return request.socket.destroy();
    response.end(JSON.stringify(answer ?? { ok: false, error_code: 404, description: "Not Found" }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const send: Send = (to, afterRoot = "") =>
    telegram(kit.env(root + afterRoot))!.send(to, part, AbortSignal.timeout(5_000));
  try {
    await work(send, calls);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}
