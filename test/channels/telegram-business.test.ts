import { expect, test } from "vitest";
import { businessConnections } from "../../src/channels/telegram/business.ts";
import telegram from "../../src/channels/telegram/index.ts";
import { connection, kits } from "../support/channels.ts";
import { bytesOf, fixturesWith, type RequestFixture, toRequest } from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";

const OWNER = 7900800700;

test("without owners every business update is ignored, without a call to Telegram", async () => {
  const all = fixturesWith<RequestFixture>("telegram", "request").filter(([name]) =>
    name.startsWith("business"),
  );
  expect(all.length).toBeGreaterThan(15);
  await withPlatform([{ body: { ok: true, result: connection() } }], async (apiRoot, calls) => {
    const { TELEGRAM_BUSINESS_OWNERS: _, ...env } = kits.telegram!.env(apiRoot);
    const channel = telegram(env)!;
    for (const [, { request }] of all)
      for (const item of await channel.parse(toRequest(bytesOf(request)))) expect(item.type).toBe("ignored");
    expect(calls).toEqual([]);
  });
});

test("Telegram's answer is cached for a minute, also for an unknown owner or no connection", async () => {
  for (const answer of [connection(), connection({ user: { id: 1 } }), undefined]) {
    let now = 0;
    let asked = 0;
    const connections = businessConnections(
      new Set([OWNER]),
      async () => {
        asked++;
        return answer;
      },
      () => now,
    );
    const first = await connections.find("bc");
    now = 59_999;
    expect(await connections.find("bc")).toEqual(first);
    expect(asked).toBe(1);
    now = 60_000;
    await connections.find("bc");
    expect(asked).toBe(2);
  }
});

test("a failed look-up is not cached, and its update is not accepted", async () => {
  let fails = true;
  const connections = businessConnections(new Set([OWNER]), async () => {
    if (fails) throw new Error("down");
    return connection();
  });
  await expect(connections.find("bc")).rejects.toThrow("down");
  fails = false;
  expect(await connections.find("bc")).toEqual({ owner: OWNER, mayReply: true });
});

test("a changed connection is looked up again, whatever the update says", async () => {
  let is_enabled = true;
  const lookUp = async () => connection({ is_enabled });
  const connections = businessConnections(new Set([OWNER]), lookUp);
  expect(await connections.find("bc")).toBeDefined();
  is_enabled = false;
  expect(await connections.find("bc")).toBeDefined();
  connections.forget("bc");
  expect(await connections.find("bc")).toBeUndefined();
});

test("an old update with `enabled` that is delivered late enables nothing", async () => {
  const off = { body: { ok: true, result: connection({ is_enabled: false }) } };
  await withPlatform([off], async (apiRoot) => {
    const channel = telegram(kits.telegram!.env(apiRoot))!;
    const parse = (update: object) =>
      channel.parse(toRequest(bytesOf({ body: { update_id: 1, ...update } })));
    await parse({ business_connection: connection() });
    const chat = { id: 7100200300, type: "private" };
    const message = {
      message_id: 1,
      chat,
      from: { id: chat.id },
      text: "x",
      business_connection_id: "bc-Dn3k9",
    };
    expect(await parse({ business_message: message })).toMatchObject([
      { type: "ignored", reason: "not_ours" },
    ]);
  });
});

test("answers for a thousand connections are cached, and a flood of others only costs look-ups", async () => {
  const asked: string[] = [];
  const connections = businessConnections(new Set([OWNER]), async (id) => void asked.push(id));
  for (let i = 0; i <= 1_000; i++) await connections.find(`bc-${i}`);
  await connections.find("bc-1000");
  expect(asked).toHaveLength(1_001);
  await connections.find("bc-0");
  expect(asked).toHaveLength(1_002);
});

test.for(["olga", "1,,2", "-5", "12345678901234567"])("owners %j are refused", (owners) => {
  const env = { ...kits.telegram!.env("http://127.0.0.1:9"), TELEGRAM_BUSINESS_OWNERS: owners };
  expect(() => telegram(env)).toThrow("TELEGRAM_BUSINESS_OWNERS must be user ids, separated by commas");
});
