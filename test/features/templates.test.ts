import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { createHubRig, type HubRig } from "../support/hub-rig.ts";

/** Templates over HTTP, with the real channel, a real Postgres and the emulator of the Cloud API. */

const FROM = "4915112345678";
const env = { WHATSAPP_BUSINESS_ACCOUNT_ID: "102290129340398" };
const soon = { timeout: 20_000, interval: 50 };
const shipped = {
  name: "order_shipped",
  components: [
    { type: "HEADER", format: "TEXT", text: "Order {{1}}" },
    { type: "BODY", text: "Hello {{1}}, it comes on {{2}}." },
  ],
};

async function opened(answer: (turn: Turn) => Reply[] = () => []) {
  const rig = await createHubRig();
  const turns: Turn[] = [];
  const bot: Bot = {
    history: 0,
    async reply(turn) {
      turns.push(turn);
      return answer(turn);
    },
  };
  const hub = await rig.open({ bot, paced: false, env });
  return { rig, hub, turns };
}

async function listed({ ask }: HubRig, query = ""): Promise<any> {
  const answer = await ask(`/api/templates${query}`, { headers: { "x-api-key": "admin-key" } });
  expect(answer.status).toBe(200);
  return answer.json();
}

const names = ({ templates }: any) => templates.map(({ name, language }: any) => `${name} ${language}`);
const make = ({ whatsapp }: HubRig, template: object) => whatsapp.tell("/_templates", template);

describe("GET /api/templates", () => {
  test("shows what the sweep has read, page by page, by name and by status", async () => {
    const { rig, hub } = await opened();
    expect(await listed(rig)).toEqual({ templates: [], synced_at: null, cursor: null });
    await make(rig, shipped);
    await make(rig, { ...shipped, language: "de", status: "PAUSED", reason: "quality" });
    for (let i = 0; i < 130; i++)
      await make(rig, { name: `news_${String(i).padStart(3, "0")}`, body: "News", category: "MARKETING" });
    await hub.sweep();
    const { templates, synced_at } = await listed(rig, "?name=order_shipped");
    expect(templates).toMatchObject([
      { language: "de", status: "PAUSED", reason: "quality" },
      {
        channel: "whatsapp",
        account: env.WHATSAPP_BUSINESS_ACCOUNT_ID,
        language: "en_US",
        status: "APPROVED",
        category: "utility",
        reason: null,
        variables: { header: 1, body: 2, named: false, other: [] },
        components: shipped.components,
      },
    ]);
    expect(Date.parse(synced_at)).toBeGreaterThan(Date.now() - 60_000);
    expect(names(await listed(rig, "?status=PAUSED"))).toEqual(["order_shipped de"]);
    const seen: string[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: any = await listed(rig, `?limit=50${cursor ? `&after=${encodeURIComponent(cursor)}` : ""}`);
      seen.push(...names(page));
      cursor = page.cursor;
    }
    expect(seen).toHaveLength(132);
    expect(seen).toEqual([...new Set(seen)].sort());
    const refused = await rig.ask("/api/templates?after=x", { headers: { "x-api-key": "admin-key" } });
    expect(refused.status).toBe(400);
    expect((await rig.ask("/api/templates", { headers: { "x-api-key": "kiosk-key-1" } })).status).toBe(403);
    expect((await rig.ask("/api/templates")).status).toBe(401);
  });

  test("a change at the platform shows at once, and a template that is gone goes with the next sweep", async () => {
    const { rig, hub } = await opened();
    await make(rig, shipped);
    await make(rig, { name: "old", body: "Old" });
    await hub.sweep();
    await make(rig, { ...shipped, status: "PAUSED", reason: "LOW_QUALITY" });
    const status = async () => (await listed(rig, "?name=order_shipped")).templates[0];
    await expect.poll(status, soon).toMatchObject({ status: "PAUSED", reason: "LOW_QUALITY" });
    expect(hub.lines.find(({ event }) => event === "template.status")?.fields).toMatchObject({
      channel: "whatsapp",
      name: "order_shipped",
      language: "en_US",
      status: "PAUSED",
      reason: "LOW_QUALITY",
    });
    await make(rig, { ...shipped, status: "APPROVED" });
    await expect.poll(status, soon).toMatchObject({ status: "APPROVED", reason: null });
    // Silently gone: only a reading finds it, which the change above has asked for.
    await rig.whatsapp.tell("/_settings", { webhookUrl: "" });
    await fetch(`${rig.options.whatsappUrl}/_templates?name=old`, { method: "DELETE" });
    await hub.sweep();
    expect(names(await listed(rig))).toEqual(["order_shipped en_US"]);
  });

  test("the sweep reads once an hour, and a platform that is down loses nothing", async () => {
    const { rig, hub } = await opened();
    await make(rig, shipped);
    await hub.sweep();
    await make(rig, { name: "new_one", body: "New" });
    await hub.sweep();
    expect(names(await listed(rig))).toEqual(["order_shipped en_US"]);
    await rig.sql`update public.template_syncs set begun_at = null`;
    await rig.whatsapp.tell("/_faults", { kind: "status", method: "templates", status: 500, times: 1 });
    await hub.sweep();
    expect(hub.lines.filter(({ event }) => event === "templates.not_read")).toHaveLength(1);
    expect(names(await listed(rig))).toEqual(["order_shipped en_US"]);
    await rig.sql`update public.template_syncs set begun_at = null`;
    await hub.sweep();
    expect(names(await listed(rig))).toEqual(["new_one en_US", "order_shipped en_US"]);
  });
});

const send = (over: object = {}): Reply =>
  ({
    kind: "template",
    name: "order_shipped",
    language: "en_US",
    header: "7",
    body: ["Anna", "Monday"],
    ...over,
  }) as Reply;

/** Lets the bot answer a message with a template, and returns how its first turn ended. */
async function tried(reply: Reply, prepare: (rig: HubRig) => Promise<unknown> = async () => {}) {
  const { rig, hub, turns } = await opened(({ attempt }) => (attempt === 1 ? [reply] : []));
  await make(rig, shipped);
  await prepare(rig);
  await hub.sweep();
  await rig.whatsapp.tell("/_customer/message", { from: FROM, text: "hi" });
  const line = () => hub.lines.find(({ event }) => event === "turn")?.fields;
  await expect.poll(line, soon).toBeDefined();
  return { rig, hub, turns, line: line()! };
}

async function sent(rig: HubRig): Promise<any[]> {
  return (await rig.whatsapp.tell("/_sent?method=template")).sent;
}

describe("a reply by a template", () => {
  test("is sent when it is as the platform knows it", async () => {
    const { rig, line } = await tried(send());
    expect(line).toMatchObject({ outcome: "done" });
    await expect.poll(() => sent(rig), soon).toHaveLength(1);
  });

  test.for<[string, Reply, string, RegExp]>([
    ["of another name", send({ name: "nothing" }), "template_not_found", /no template nothing/],
    ["of another language", send({ language: "fr" }), "template_not_found", /in en_US, not in fr/],
    ["with a variable too few", send({ body: ["Anna"] }), "template_parameters", /2 variables in its body/],
    ["without its header", send({ header: undefined }), "template_parameters", /1 variables in its header/],
  ])("%s fails its turn, and the bot learns why", async ([, reply, reason, detail]) => {
    const { rig, hub, turns, line } = await tried(reply);
    expect(line).toMatchObject({ outcome: "failed", reason, detail: expect.stringMatching(detail) });
    await expect.poll(() => hub.sweep().then(() => turns.length), soon).toBe(2);
    expect(turns[1]?.failure).toEqual({ code: "unavailable", reason });
    expect(await sent(rig)).toEqual([]);
  });

  test.for(["PAUSED", "DISABLED", "REJECTED", "PENDING"])(
    "that is %s fails its turn before anything is sent",
    async (status) => {
      const { rig, line } = await tried(send(), (rig) => make(rig, { ...shipped, status }));
      expect(line).toMatchObject({ outcome: "failed", reason: "template_not_approved" });
      expect(await sent(rig)).toEqual([]);
    },
  );

  test("that is paused after the bot has answered is a dead letter with the platform's code", async () => {
    const { rig, hub } = await opened(({ attempt }) => (attempt === 1 ? [send()] : []));
    await make(rig, shipped);
    await hub.sweep();
    const wait = { kind: "status", method: "template", status: 429, retry_after: 3, times: 1 };
    await rig.whatsapp.tell("/_faults", wait);
    await rig.whatsapp.tell("/_customer/message", { from: FROM, text: "hi" });
    await expect.poll(async () => (await rig.whatsapp.tell("/_faults")).faults, soon).toEqual([]);
    await make(rig, { ...shipped, status: "PAUSED" });
    const ends = () => rig.sql`select state, reason from public.deliveries`;
    await expect.poll(() => hub.sweep().then(ends), soon).toEqual([{ state: "dead", reason: "132015" }]);
  });
});
