import { expect, test } from "vitest";
import { createHubRig, type HubRig, startBot } from "../support/hub-rig.ts";

const CHAT = 7_500_100;
const PHONE = "4915112345911";
const ADMIN = { "x-api-key": "admin-key" };
const soon = { timeout: 15_000 };

const WRITE = {
  telegram: (rig: HubRig, text: string) =>
    rig.telegram.tell("/_customer/message", { chat: { id: CHAT }, text }),
  whatsapp: (rig: HubRig, text: string) => rig.whatsapp.tell("/_customer/message", { from: PHONE, text }),
};
type Name = keyof typeof WRITE;
const METHOD = { telegram: "sendMessage", whatsapp: "text" };

/** A hub with a bot that answers "one", on a platform that fails as `fault` says, and a customer who has written. */
async function shop(name: Name, fault?: object) {
  const rig = await createHubRig();
  // A message that was delivered does not fail any more.
  await rig.whatsapp.tell("/_settings", { statuses: false });
  const hub = await rig.open({ botUrl: await startBot(async () => ["one"]), paced: false });
  if (fault) await rig[name].tell("/_faults", { method: METHOD[name], times: 1, ...fault });
  await WRITE[name](rig, "hi");
  return { rig, hub };
}

const letters = async (rig: HubRig) =>
  ((await (await rig.ask("/api/dead-letters", { headers: ADMIN })).json()) as any).dead_letters as any[];
const states = async (rig: HubRig) =>
  (await rig.sql`select state, attempt, reason from deliveries order by seq`).map((row) => ({ ...row }));
const statuses = async (rig: HubRig) =>
  (await rig.sql`select status from messages where direction = 'outbound' order by seq`).map(
    ({ status }) => status,
  );

/** Lets waits and leases pass, as the cron would see it a little later. */
async function sweepLater(rig: HubRig, hub: { sweep(): Promise<void> }): Promise<void> {
  await rig.sql`update deliveries set due_at = now() - interval '1 second' where state in ('pending', 'sending')`;
  await hub.sweep();
}

test.each<[code: number, why: string, reason?: string]>([
  [131026, "the customer cannot be reached"],
  [131047, "the window is closed", "window_closed"],
  [131051, "WhatsApp has no such type"],
  [130472, "the customer is part of an experiment"],
])(
  "WhatsApp's answer %i (%s) ends the delivery at once, and an operator reads the code",
  async (code, _, reason = String(code)) => {
    const { rig, hub } = await shop("whatsapp", { kind: "status", code });
    await expect
      .poll(() => letters(rig), soon)
      .toMatchObject([{ type: "delivery", code: "rejected", reason, attempt: 1 }]);
    await sweepLater(rig, hub);
    expect(await rig.whatsapp.replies()).toEqual([]);
    expect(await statuses(rig)).toEqual(["failed"]);
  },
);

test.each([131026, 131047, 131051, 130472])(
  "WhatsApp's status failed with %i, after a success, is the message's end",
  async (code) => {
    const { rig } = await shop("whatsapp");
    await expect.poll(() => rig.whatsapp.replies(), soon).toHaveLength(1);
    await expect.poll(() => statuses(rig), soon).not.toEqual(["pending"]);
    const message_id = (await rig.whatsapp.replies())[0]!.message_id;
    await rig.whatsapp.tell("/_customer/status", { message_id, status: "failed", code });
    await expect.poll(() => letters(rig), soon).toMatchObject([{ code: "rejected", reason: String(code) }]);
    expect(await statuses(rig)).toEqual(["failed"]);
  },
);

test.each<[Name, object, number]>([
  ["telegram", { status: 429, retry_after: 3 }, 3_000],
  ["whatsapp", { code: 131056 }, 6_000],
  ["whatsapp", { status: 429, code: 130429 }, 0],
  ["whatsapp", { status: 429, code: 130429, retry_after: 3 }, 3_000],
])("%s that asks to wait with %j is asked again not before, and answered once", async (name, fault, ms) => {
  const { rig } = await shop(name, { kind: "status", ...fault });
  await expect.poll(() => states(rig), soon).toMatchObject([{ state: "sent", attempt: 2 }]);
  expect(await rig[name].replies()).toHaveLength(1);
  const [row] =
    await rig.sql`select extract(epoch from sent_at - created_at) * 1000 as waited from deliveries`;
  expect(Number(row!.waited)).toBeGreaterThanOrEqual(ms);
});

test.each([
  ["edit", "PATCH", "", { text: "two" }, "editMessageText"],
  ["pin", "PUT", "/pin", undefined, "pinChatMessage"],
  ["reaction", "PUT", "/reaction", { emoji: "👍" }, "setMessageReaction"],
  ["deletion", "DELETE", "", undefined, "deleteMessages"],
] as const)(
  "a %s that Telegram accepts and answers with 500 is made again, and changes nothing more",
  async (_, method, path, body, call) => {
    const { rig } = await shop("telegram");
    await expect.poll(() => statuses(rig), soon).toEqual(["sent"]);
    const [reply] = await rig.sql`select message_id from messages where direction = 'outbound'`;
    await rig.telegram.tell("/_faults", { kind: "accept-then-status", status: 500, method: call });
    const answer = await rig.ask(`/api/messages/${reply!.message_id}${path}`, {
      method,
      headers: { ...ADMIN, "content-type": "application/json" },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.status).toBe(200);
    await expect
      .poll(() => states(rig), soon)
      .toMatchObject([{}, { state: "sent", attempt: 2, reason: null }]);
    expect(await letters(rig)).toEqual([]);
    // An edit that changes nothing is refused as "not modified", which counts as made.
    const { sent } = await rig.telegram.tell(`/_sent?method=${call}`);
    expect(sent).toHaveLength(method === "PATCH" ? 1 : 2);
  },
);

test.each<Name>(["telegram", "whatsapp"])(
  "a message that %s accepts and answers with 500 is not lost: it is sent again, once",
  async (name) => {
    const { rig, hub } = await shop(name, { kind: "accept-then-status", status: 500 });
    await expect.poll(() => states(rig), soon).toMatchObject([{ state: "sent", attempt: 2 }]);
    await sweepLater(rig, hub);
    expect((await rig[name].replies()).map(({ text }) => text)).toEqual(["one", "one"]);
    expect(await letters(rig)).toEqual([]);
  },
);
