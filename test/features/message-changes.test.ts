import { describe, expect, test } from "vitest";
import { prepare } from "../../src/core/content/prepare.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { testHub } from "../support/http.ts";
import { createHubRig, type HubRig, startBot } from "../support/hub-rig.ts";

const ADMIN = { "x-api-key": "admin-key" };
const NOBODY = "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11";
const CHAT = 7_300_100;
const PHONE = "4915112345777";

interface Answer {
  readonly status: number;
  readonly body: any;
}

/** An operator's call, with its path below `/api/messages/`. */
async function operator(rig: HubRig, method: string, path: string, body?: object): Promise<Answer> {
  const response = await rig.ask(`/api/messages/${path}`, {
    method,
    headers: { ...ADMIN, "content-type": "application/json" },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
}

async function history(rig: HubRig, session_id: string): Promise<any[]> {
  const response = await rig.ask(`/api/sessions/${session_id}/messages?limit=200`, { headers: ADMIN });
  return ((await response.json()) as any).messages;
}

/** A hub without pauses between messages, with a bot that answers "one", or `replies`, to each message, and a customer who has written. */
async function shop(write: (rig: HubRig) => Promise<unknown>, replies?: readonly Reply[]) {
  const rig = await createHubRig();
  const bot = replies
    ? { bot: { history: 0, reply: async () => [...replies] } }
    : { botUrl: await startBot(async () => ["one"]) };
  const hub = await rig.open({ ...bot, paced: false });
  await write(rig);
  const [session] = await rig.sql`select session_id from sessions`;
  const session_id = session!.session_id as string;
  await settled(rig);
  const [asked, reply] = await history(rig, session_id);
  return { rig, hub, session_id, asked, reply };
}

const telegram = (rig: HubRig) => rig.telegram.tell("/_customer/message", { chat: { id: CHAT }, text: "hi" });
const whatsapp = (rig: HubRig) => rig.whatsapp.tell("/_customer/message", { from: PHONE, text: "hi" });
const web = (rig: HubRig) =>
  rig.ask("/webhooks/web?wait=5", {
    method: "POST",
    headers: { "x-api-key": "web-key", "content-type": "application/json" },
    body: JSON.stringify({ external_id: "1", phone: "+4915112345778", text: "hi" }),
  });

/** Waits until nothing is on its way. */
async function settled(rig: HubRig): Promise<void> {
  await expect
    .poll(
      async () =>
        (
          await rig.sql`select (select count(*) from turns) + (select count(*) from deliveries where state in ('pending', 'sending')) as open`
        )[0]!.open,
      { timeout: 10_000 },
    )
    .toBe("0");
}

const calls = async (rig: HubRig, method: string) =>
  (await rig.telegram.tell(`/_sent?method=${method}`)).sent as any[];

describe("an operator", () => {
  test("edits, reacts to, pins and deletes what the bot said on Telegram, each once", async () => {
    const { rig, session_id, asked, reply } = await shop(telegram);
    const [first] = await rig.telegram.replies();
    const at = { chat_id: CHAT, message_id: first!.message_id };
    const twice = async (method: string, path: string, body?: object) => {
      const once = await operator(rig, method, path, body);
      const again = await operator(rig, method, path, body);
      expect([once.status, again.status]).toEqual([200, 200]);
      expect([once.body.changed, again.body.changed]).toEqual([true, false]);
      expect(again.body.message).toEqual(once.body.message);
      await settled(rig);
      return once.body.message;
    };
    const id = reply.message_id;
    const edited = await twice("PATCH", id, { text: "**two**", format: "markdown" });
    expect(edited).toMatchObject({ kind: "text", text: "**two**", edited_at: expect.any(String) });
    expect(await calls(rig, "editMessageText")).toMatchObject([{ ...at, text: "two" }]);
    expect(await twice("PUT", `${id}/pin`)).toMatchObject({ pinned_at: expect.any(String) });
    expect(await calls(rig, "pinChatMessage")).toMatchObject([at]);
    expect(await twice("DELETE", `${id}/pin`)).toMatchObject({ pinned_at: null });
    expect(await calls(rig, "unpinChatMessage")).toMatchObject([at]);
    const theirs = { chat_id: CHAT, message_id: Number(asked.external_id.split(":").at(-1)) };
    expect(await twice("PUT", `${asked.message_id}/reaction`, { emoji: "👍" })).toMatchObject({
      reaction: "👍",
    });
    expect(await twice("DELETE", `${asked.message_id}/reaction`)).toMatchObject({ reaction: null });
    expect(await calls(rig, "setMessageReaction")).toMatchObject([
      { ...theirs, reaction: [{ type: "emoji", emoji: "👍" }] },
      { ...theirs, reaction: [] },
    ]);
    expect(await twice("DELETE", id)).toMatchObject({ text: "", deleted_at: expect.any(String) });
    expect(await calls(rig, "deleteMessages")).toMatchObject([{ message_ids: [at.message_id] }]);

    const all = await history(rig, session_id);
    expect(
      all.slice(2).map(({ kind, role, author, status, reply_to }) => [kind, role, author, status, reply_to]),
    ).toEqual(
      ["edit", "pin", "pin", "reaction", "reaction", "delete"].map((kind) => [
        kind,
        "operator",
        expect.stringMatching(/^key:admin:/),
        "sent",
        kind === "reaction" ? asked.message_id : id,
      ]),
    );
    expect(all[2].seq).toBeLessThan(all[3].seq);
    const audit = await rig.sql`select actor, action, subject from audit order by audit_id`;
    expect(audit.map(({ action, subject }) => [action, subject])).toEqual([
      ["message.edit", id],
      ["message.pin", id],
      ["message.pin", id],
      ["message.reaction", asked.message_id],
      ["message.reaction", asked.message_id],
      ["message.delete", id],
    ]);
    const [row] = await rig.sql`select revisions from messages where message_id = ${id}`;
    expect(row!.revisions.map(({ text }: { text: string }) => text)).toEqual(["one", "**two**"]);
  });

  test("gets what WhatsApp has: a corrected message and reactions, but no deletion and no pin", async () => {
    const { rig, asked, reply } = await shop(whatsapp);
    for (const [method, path] of [
      ["DELETE", reply.message_id],
      ["PUT", `${reply.message_id}/pin`],
      ["DELETE", `${reply.message_id}/pin`],
    ] as const) {
      const { status, body } = await operator(rig, method, path);
      expect([status, body.error.code, body.error.details]).toEqual([
        409,
        "not_changeable",
        { why: "channel" },
      ]);
    }
    expect((await operator(rig, "PATCH", reply.message_id, { text: "two" })).body.changed).toBe(true);
    expect((await operator(rig, "PUT", `${asked.message_id}/reaction`, { emoji: "🫠" })).body.changed).toBe(
      true,
    );
    await settled(rig);
    const { sent } = await rig.whatsapp.tell("/_sent");
    expect(sent.filter(({ method }: any) => ["text", "reaction"].includes(method)).slice(1)).toMatchObject([
      { method: "text", text: expect.stringContaining("two") },
      { method: "reaction", reaction: { message_id: asked.external_id, emoji: "🫠" } },
    ]);
  });

  test("changes what a web page shows, through its history alone", async () => {
    const { rig, session_id, asked, reply } = await shop(web);
    await operator(rig, "PATCH", reply.message_id, { text: "two" });
    await operator(rig, "PUT", `${reply.message_id}/pin`);
    await operator(rig, "PUT", `${asked.message_id}/pin`);
    await operator(rig, "PUT", `${asked.message_id}/reaction`, { emoji: "❤" });
    expect(await rig.sql`select from deliveries`).toHaveLength(0);
    expect(await history(rig, session_id)).toMatchObject([
      { text: "hi", reaction: "❤", pinned_at: expect.any(String) },
      { text: "two", pinned_at: expect.any(String), edited_at: expect.any(String) },
      { kind: "edit", status: "sent", content: { message_id: reply.message_id, text: "two" } },
      { kind: "pin", status: "sent" },
      { kind: "pin", status: "sent" },
      { kind: "reaction", status: "sent" },
    ]);
  });

  test("edits the caption of a file on Telegram, and deletes nothing there that is two days old", async () => {
    const { rig, session_id, reply } = await shop(telegram, [
      { kind: "image", media: { url: "https://shop.example/a.jpg" }, caption: "one" },
    ]);
    expect((await operator(rig, "PATCH", reply.message_id, { text: "two" })).body).toMatchObject({
      changed: true,
      message: {
        kind: "image",
        text: "two",
        content: { caption: "two", media: { url: "https://shop.example/a.jpg" } },
      },
    });
    expect((await operator(rig, "PATCH", reply.message_id, { text: "two" })).body.changed).toBe(false);
    await settled(rig);
    const { sent } = await rig.telegram.tell("/_sent?method=editMessageCaption");
    expect(sent).toMatchObject([{ caption: "two" }]);
    await rig.sql`update messages set created_at = now() - interval '48 hours 1 second' where message_id = ${reply.message_id}`;
    const late = await operator(rig, "DELETE", reply.message_id);
    expect([late.status, late.body.error.code, late.body.error.details]).toEqual([
      409,
      "not_changeable",
      { why: "too_late" },
    ]);
    expect((await history(rig, session_id)).at(-1)).toMatchObject({ kind: "edit", status: "sent" });
    await rig.sql`update messages set created_at = now() - interval '47 hours' where message_id = ${reply.message_id}`;
    expect((await operator(rig, "DELETE", reply.message_id)).body.changed).toBe(true);
  });

  test("is refused what no message allows", async () => {
    const { rig, session_id, asked, reply } = await shop(web);
    const why = async (method: string, path: string, body?: object) => {
      const { status, body: said } = await operator(rig, method, path, body);
      return [status, said.error.code, said.error.details?.why];
    };
    const words = { text: "x" };
    expect(await why("PATCH", asked.message_id, words)).toEqual([409, "not_changeable", "not_ours"]);
    expect(await why("DELETE", asked.message_id)).toEqual([409, "not_changeable", "not_ours"]);
    expect(await why("PATCH", NOBODY, words)).toEqual([404, "not_found", undefined]);
    expect(await why("PATCH", "no-id", words)).toEqual([400, "malformed", undefined]);
    for (const wrong of [{ text: " " }, {}, { text: "x", more: 1 }, { text: "x", format: "html" }])
      expect(await why("PATCH", reply.message_id, wrong)).toEqual([400, "malformed", undefined]);
    for (const wrong of [{ emoji: "" }, { emoji: "👍".repeat(20) }, {}])
      expect(await why("PUT", `${reply.message_id}/reaction`, wrong)).toEqual([400, "malformed", undefined]);
    await operator(rig, "PUT", `${reply.message_id}/pin`);
    const [, , pinned] = await history(rig, session_id);
    for (const path of [pinned.message_id, `${pinned.message_id}/pin`])
      expect(await why("DELETE", path)).toEqual([409, "not_changeable", "a_change"]);
    await operator(rig, "DELETE", reply.message_id);
    expect(await why("PATCH", reply.message_id, words)).toEqual([409, "not_changeable", "deleted"]);
    expect(await why("PUT", `${reply.message_id}/pin`)).toEqual([409, "not_changeable", "deleted"]);
  });

  test("must hold an admin key: other keys and the customer's own token change nothing", async () => {
    const { rig, session_id, reply } = await shop(web);
    const started = await rig.ask("/session/start", {
      method: "POST",
      headers: { "x-api-key": "web-key", "content-type": "application/json" },
      body: JSON.stringify({ channel: "web", phone: "+4915112345778" }),
    });
    const { session_token } = (await started.json()) as any;
    const before = await history(rig, session_id);
    for (const [headers, status] of [
      [{}, 401],
      [{ "x-api-key": "web-key" }, 403],
      [{ "x-api-key": "kiosk-key-1" }, 403],
      [{ "x-api-key": "wrong" }, 401],
      [{ authorization: `Bearer ${session_token}` }, 401],
    ] as const)
      for (const [method, path] of [
        ["DELETE", ""],
        ["PUT", "/pin"],
        ["DELETE", "/pin"],
        ["DELETE", "/reaction"],
      ]) {
        const answer = await rig.ask(`/api/messages/${reply.message_id}${path}`, {
          method: method!,
          headers,
        });
        expect(answer.status).toBe(status);
      }
    expect(await history(rig, session_id)).toEqual(before);
  });

  test("changes a message once, however many operators make the same change at once", async () => {
    const { rig, reply } = await shop(telegram);
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => operator(rig, "PATCH", reply.message_id, { text: "two" })),
    );
    expect(answers.filter(({ body }) => body.changed)).toHaveLength(1);
    await settled(rig);
    expect(await calls(rig, "editMessageText")).toHaveLength(1);
    const others = await Promise.all(
      [..."abcdef"].map((text) => operator(rig, "PATCH", reply.message_id, { text })),
    );
    expect(others.every(({ body }) => body.changed)).toBe(true);
    await settled(rig);
    const [row] = await rig.sql`select text from messages where message_id = ${reply.message_id}`;
    expect((await calls(rig, "editMessageText")).at(-1).text).toBe(row!.text);
  });

  test("a change that was saved is sent by the sweep, if the worker dies before it has sent it", async () => {
    const { rig, hub, reply } = await shop(telegram);
    const { store, channels } = hub.hub;
    const change = { kind: "edit", message_id: reply.message_id, text: "two" } as const;
    const prepared = prepare("telegram", channels.telegram!, change, {});
    const past = new Date(Date.now() - 120_000);
    const { deliveries } = await store.features!.messageChanges.change(
      reply.message_id,
      prepared,
      { actor: "test" },
      past,
    );
    expect(deliveries).toHaveLength(1);
    expect(await calls(rig, "editMessageText")).toHaveLength(0);
    await hub.sweep();
    await settled(rig);
    expect(await calls(rig, "editMessageText")).toMatchObject([{ text: "two" }]);
  });

  test("learns that a customer has blocked the shop by the change's status", async () => {
    const { rig, session_id, reply } = await shop(telegram);
    // Telegram tells the time of a block in whole seconds, and a message of the same second would be as new.
    await new Promise((later) => setTimeout(later, 1_100));
    await rig.telegram.tell("/_customer/block", { chat: { id: CHAT } });
    await expect
      .poll(async () => (await rig.sql`select unreachable from customers`)[0]!.unreachable)
      .toEqual(["telegram"]);
    expect((await operator(rig, "PUT", `${reply.message_id}/pin`)).body.changed).toBe(true);
    expect((await history(rig, session_id)).at(-1)).toMatchObject({ kind: "pin", status: "failed" });
    expect(await calls(rig, "pinChatMessage")).toHaveLength(0);
  });

  test("needs a database", async () => {
    const answer = await testHub().request(`/api/messages/${NOBODY}`, { method: "DELETE", headers: ADMIN });
    expect(answer.status).toBe(501);
  });
});
