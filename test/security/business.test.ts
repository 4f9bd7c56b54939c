import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { channels as makers } from "../../src/channels/index.ts";
import type { Channel } from "../../src/core/channel.ts";
import { connection } from "../support/channels.ts";
import { begin, ENV, post, type TestHub, testHub } from "../support/http.ts";
import { call, keys, onTelegram, sharesPhone } from "../support/people.ts";

const OLGA = 7900800700;
const EVE = 7666600600;
const VICTIM = 7100200300;
const PHONE = "+4915112340001";
const telegram = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A hub with a simulated Bot API, and the messages sent there. `bc-olga` is Olga's connection, `bc-eve` Eve's. */
async function hubWith(owners: string | undefined, rights: object = { can_reply: true }) {
  const sent: { chat_id: number; text: string; business_connection_id?: string }[] = [];
  const api = { down: false };
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const body = JSON.parse(text);
    const method = request.url?.split("/").at(-1);
    const answer = (status: number, more: object) => response.writeHead(status).end(JSON.stringify(more));
    if (method === "getBusinessConnection") {
      if (api.down) return answer(502, { ok: false, error_code: 502, description: "Bad Gateway" });
      const id = body.business_connection_id;
      return answer(200, {
        ok: true,
        result: connection({ id, user: { id: id === "bc-olga" ? OLGA : EVE }, rights }),
      });
    }
    if (method === "sendMessage") sent.push(body);
    return answer(200, { ok: true, result: { message_id: 900 + sent.length } });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const env = {
    ...ENV,
    TELEGRAM_API_ROOT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...(owners && { TELEGRAM_BUSINESS_OWNERS: owners }),
  };
  const channels: Record<string, Channel> = {};
  for (const [name, make] of Object.entries(makers)) channels[name] = make(env)!;
  let turns = 0;
  const reply = async () => {
    turns++;
    return [{ kind: "text", text: "Your cart: tea" } as const];
  };
  const hub = testHub({ channels, bot: { history: 0, reply } }, { kioskPhones: "verify" });
  return { ...hub, sent, api, turns: () => turns };
}

let updates = 0;

const update = (hub: TestHub, what: object) =>
  call(hub, "/webhooks/telegram", post({ update_id: ++updates, ...what }, telegram));

const inChat = (from: number, via: string, more: object = {}) => ({
  message_id: ++updates,
  date: 1781000000,
  chat: { id: VICTIM, type: "private" },
  from: { id: from, is_bot: false },
  business_connection_id: via,
  ...more,
});

/** A customer of the shop's, known by Telegram and phone. */
async function victim(hub: TestHub) {
  await onTelegram(hub, VICTIM, "Hello");
  await sharesPhone(hub, VICTIM, PHONE);
}

async function history(hub: TestHub) {
  const found = await call(hub, `/session/restore?telegram_chat_id=${VICTIM}`, { headers: keys.admin });
  const path = `/api/sessions/${found.body.session.session_id}/messages`;
  return (await call(hub, path, { headers: keys.admin })).body.messages as any[];
}

async function codeFor(hub: Awaited<ReturnType<typeof hubWith>>) {
  const before = hub.sent.length;
  expect((await call(hub, "/session/verify", post({ phone: PHONE }))).status).toBe(202);
  return hub.sent.slice(before);
}

describe("a stranger who connects the bot to their own account", () => {
  test.for([
    ["without owners configured", undefined],
    ["with another owner configured", String(OLGA)],
  ] as const)("%s, learns and changes nothing of a customer's who writes to them", async ([, owners]) => {
    const hub = await hubWith(owners);
    await victim(hub);
    const before = await history(hub);
    const [sent, turns] = [hub.sent.length, hub.turns()];
    await update(hub, { business_connection: connection({ id: "bc-eve", user: { id: EVE } }) });
    const said = inChat(VICTIM, "bc-eve", { text: "a private word" });
    await update(hub, { business_message: said });
    await update(hub, { business_message: inChat(EVE, "bc-eve", { text: "as the shop's operator" }) });
    await update(hub, {
      edited_business_message: { ...said, text: "an edited word", edit_date: 1781000001 },
    });
    const { chat, message_id } = said;
    await update(hub, {
      deleted_business_messages: { business_connection_id: "bc-eve", chat, message_ids: [message_id] },
    });
    await update(hub, { callback_query: { id: "q", from: { id: VICTIM }, data: "yes", message: said } });
    expect(await history(hub)).toEqual(before);
    expect(hub.sent).toHaveLength(sent);
    expect(hub.turns()).toBe(turns);
    const ignored = hub.lines.flatMap(({ fields }) => (fields.ignored ? [fields.ignored] : []));
    expect(ignored.at(-1)).toEqual({ not_ours: 1 });
    expect(await codeFor(hub)).toMatchObject([{ chat_id: VICTIM }]);
    expect(hub.sent.at(-1)).not.toHaveProperty("business_connection_id");
  });

  test("redeems no link there", async () => {
    const hub = await hubWith(String(OLGA));
    const here = await begin(hub);
    const link = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    expect(link.status).toBe(200);
    await update(hub, {
      business_message: inChat(VICTIM, "bc-eve", { text: `/start link_${"a".repeat(32)}` }),
    });
    expect(
      (await call(hub, "/session/restore", { headers: here.bearer })).body.session.telegram_chat_id,
    ).toBeNull();
  });

  test("gets 503 while Telegram does not name the account's owner, and Telegram delivers again", async () => {
    const hub = await hubWith(String(OLGA));
    hub.api.down = true;
    const words = { update_id: 77, business_message: inChat(VICTIM, "bc-olga", { text: "Do you deliver?" }) };
    const refused = await call(hub, "/webhooks/telegram", post(words, telegram));
    expect([refused.status, refused.code]).toEqual([503, "unavailable"]);
    expect(
      (await call(hub, `/session/restore?telegram_chat_id=${VICTIM}`, { headers: keys.admin })).status,
    ).toBe(404);
    hub.api.down = false;
    for (let i = 0; i < 2; i++)
      expect((await call(hub, "/webhooks/telegram", post(words, telegram))).status).toBe(200);
    expect((await history(hub)).filter(({ direction }) => direction === "inbound")).toHaveLength(1);
    expect(hub.turns()).toBe(1);
  });
});

describe("in the shop's own business account", () => {
  test("the customer is answered where they wrote, and the owner's messages are an operator's", async () => {
    const hub = await hubWith(String(OLGA));
    await update(hub, { business_message: inChat(VICTIM, "bc-olga", { text: "Do you deliver?" }) });
    await update(hub, { business_message: inChat(OLGA, "bc-olga", { text: "We do." }) });
    await update(hub, { business_message: inChat(EVE, "bc-olga", { text: "I am Olga." }) });
    expect(hub.sent).toMatchObject([
      { chat_id: VICTIM, business_connection_id: "bc-olga", text: "Your cart: tea" },
    ]);
    expect((await history(hub)).map(({ role, text }) => [role, text])).toEqual([
      ["user", "Do you deliver?"],
      ["assistant", "Your cart: tea"],
      ["operator", "We do."],
    ]);
  });

  test("no code is sent there, even if it is the customer's last address", async () => {
    const hub = await hubWith(String(OLGA));
    await victim(hub);
    hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
    await update(hub, { business_message: inChat(VICTIM, "bc-olga", { text: "Do you deliver?" }) });
    const codes = await codeFor(hub);
    expect(codes).toMatchObject([{ chat_id: VICTIM, text: expect.stringMatching(/^\d{6} is your code/) }]);
    expect(codes[0]).not.toHaveProperty("business_connection_id");
  });

  test("a link is not redeemed, not even by the customer, and its token is not stored", async () => {
    const hub = await hubWith(String(OLGA));
    const here = await begin(hub);
    const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
    const token = /link_[\w-]{32}/.exec(body.links.telegram)![0];
    await update(hub, { business_message: inChat(VICTIM, "bc-olga", { text: `look: ${token}` }) });
    const { session } = (await call(hub, "/session/restore", { headers: here.bearer })).body;
    expect(session.telegram_chat_id).toBeNull();
    const [kept] = await history(hub);
    expect(kept).toMatchObject({ kind: "text", text: "look: link_…" });
    await onTelegram(hub, VICTIM, `/start ${token}`);
    expect(
      (await call(hub, "/session/restore", { headers: bearer(body.session_token) })).body.session,
    ).toMatchObject({
      telegram_chat_id: String(VICTIM),
    });
  });

  test("without the right to reply messages are stored, but nothing is sent and no turn is made", async () => {
    const hub = await hubWith(String(OLGA), {});
    await update(hub, { business_message: inChat(VICTIM, "bc-olga", { text: "Do you deliver?" }) });
    expect((await history(hub)).map(({ text }) => text)).toEqual(["Do you deliver?"]);
    expect([hub.turns(), hub.sent]).toEqual([0, []]);
  });
});

function bearer(token: string) {
  return { authorization: `Bearer ${token}` };
}
