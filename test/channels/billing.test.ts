import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { billedAs } from "../../src/channels/whatsapp/send/billed.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { createHubRig, type HubRig } from "../support/hub-rig.ts";

const PHONE = "4915112346001";
const ADMIN = { "x-api-key": "admin-key" };
const soon = { timeout: 15_000 };

/** A hub whose bot answers each message with the next of these lists of replies. */
async function shop(...answers: Reply[][]): Promise<HubRig> {
  const server = createServer(async (request, response) => {
    for await (const _ of request);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ replies: answers.shift() ?? [] }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const rig = await createHubRig();
  const botUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await rig.open({ botUrl, paced: false });
  return rig;
}

async function write(rig: HubRig): Promise<void> {
  await rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "hi" });
  const open = async () =>
    (
      await rig.sql`select (select count(*) from turns) + (select count(*) from deliveries where state in ('pending', 'sending')) as open`
    )[0]!.open;
  await expect.poll(open, soon).toBe("0");
}

/** What was billed on WhatsApp so far, by category. */
async function billed(rig: HubRig): Promise<Record<string, number>> {
  const text = await (await rig.ask("/metrics", { headers: ADMIN })).text();
  const lines = text.matchAll(/^hub_billable_sends_total\{channel="whatsapp",category="(\w+)"\} (\d+)$/gm);
  const counts = [...lines].map(([, category, count]) => [category, Number(count)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

const sentOf = async (rig: HubRig) =>
  ((await rig.whatsapp.tell("/_sent")).sent as any[]).filter(
    ({ method }) => !["read", "typing"].includes(method),
  );

test("replies that fit into one paid message are one, and are billed once", async () => {
  const rig = await shop(
    [
      { kind: "text", text: "We are open." },
      { kind: "text", text: "Come in!" },
      { kind: "buttons", text: "Tea?", buttons: [{ id: "y", title: "Yes" }] },
    ],
    [
      { kind: "image", media: { url: "https://example.com/a.png" } },
      { kind: "text", text: "Our shop" },
    ],
  );
  await write(rig);
  expect(await sentOf(rig)).toMatchObject([
    { interactive: { body: { text: "We are open.\n\nCome in!\n\nTea?" } } },
  ]);
  expect(await billed(rig)).toEqual({ service: 1 });
  await write(rig);
  expect((await sentOf(rig))[1]).toMatchObject({ image: { caption: "Our shop" } });
  expect(await billed(rig)).toEqual({ service: 2 });
});

test("what does not fit stays apart, a reaction costs nothing, and a template is billed in its category", async () => {
  const rig = await shop(
    [
      { kind: "text", text: "x".repeat(4_000) },
      { kind: "text", text: "y".repeat(200) },
    ],
    [{ kind: "reaction", emoji: "👍" }],
  );
  await write(rig);
  expect(await billed(rig)).toEqual({ service: 2 });
  await write(rig);
  expect(await sentOf(rig)).toHaveLength(3);
  expect(await billed(rig)).toEqual({ service: 2 });
  const template = { kind: "text", text: "Sale", call: { type: "template" } } as const;
  expect(billedAs(template)).toBe("template");
  expect(billedAs({ ...template, billed: "marketing" })).toBe("marketing");
});

test("a message that the platform does not take is not billed, and one that is tried again is billed once", async () => {
  const rig = await shop([{ kind: "text", text: "one" }], [{ kind: "text", text: "two" }]);
  await rig.whatsapp.tell("/_faults", { kind: "status", method: "text", code: 131026 });
  await write(rig);
  expect(await billed(rig)).toEqual({});
  await rig.whatsapp.tell("/_faults", { kind: "status", method: "text", status: 500, times: 1 });
  await write(rig);
  expect(await sentOf(rig)).toMatchObject([{ text: "two" }]);
  expect(await billed(rig)).toEqual({ service: 1 });
});

test("an operator's edit is a new message there, and is billed as one", async () => {
  const rig = await shop([{ kind: "text", text: "one" }]);
  await write(rig);
  const [reply] = await rig.sql`select message_id from messages where direction = 'outbound'`;
  const change = {
    method: "PATCH",
    headers: { ...ADMIN, "content-type": "application/json" },
    body: JSON.stringify({ text: "two" }),
  };
  await rig.ask(`/api/messages/${reply!.message_id}`, change);
  await expect.poll(() => billed(rig), soon).toEqual({ service: 2 });
});
