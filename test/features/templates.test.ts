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
        variables: {
          header: ["1"],
          body: ["1", "2"],
          named: false,
          header_media: null,
          buttons: [],
          other: [],
        },
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

  const rich = {
    name: "order_shipped",
    components: [
      { type: "HEADER", format: "IMAGE" },
      { type: "BODY", text: "Hello {{first_name}}, it comes on {{day}}." },
      {
        type: "BUTTONS",
        buttons: [
          { type: "URL", text: "Track", url: "https://shop.example/track/{{1}}" },
          { type: "QUICK_REPLY", text: "Stop" },
          { type: "COPY_CODE", example: "X" },
        ],
      },
    ],
  };
  const full = {
    header: undefined,
    header_media: { kind: "image", media: { url: "https://shop.example/a.png" } },
    body: { first_name: "Anna", day: "Monday" },
    buttons: [
      { at: 0, url: "7" },
      { at: 1, id: "stop-7" },
      { at: 2, code: "SALE" },
    ],
  };

  test("with a picture, variables with names and buttons is sent as the platform wants it", async () => {
    const { rig, line } = await tried(send(full), (rig) => make(rig, rich));
    expect(line).toMatchObject({ outcome: "done" });
    await expect.poll(() => sent(rig), soon).toHaveLength(1);
    const [{ template }] = await sent(rig);
    expect(template.components).toEqual([
      { type: "header", parameters: [{ type: "image", image: { link: "https://shop.example/a.png" } }] },
      {
        type: "body",
        parameters: [
          { type: "text", text: "Anna", parameter_name: "first_name" },
          { type: "text", text: "Monday", parameter_name: "day" },
        ],
      },
      { type: "button", sub_type: "url", index: "0", parameters: [{ type: "text", text: "7" }] },
      {
        type: "button",
        sub_type: "quick_reply",
        index: "1",
        parameters: [{ type: "payload", payload: "stop-7" }],
      },
      {
        type: "button",
        sub_type: "copy_code",
        index: "2",
        parameters: [{ type: "coupon_code", coupon_code: "SALE" }],
      },
    ]);
    const { templates } = await listed(rig, "?name=order_shipped");
    expect(templates[0].variables).toMatchObject({
      header: [],
      header_media: "image",
      body: ["first_name", "day"],
      named: true,
      buttons: ["url", "id", "code"],
    });
  });

  test.for<[string, object, RegExp]>([
    ["without its picture", { header_media: undefined }, /image in its header, not nothing/],
    ["with a video for the picture", { header_media: { ...full.header_media, kind: "video" } }, /not video/],
    ["with variables in order", { body: ["Anna", "Monday"] }, /named variables in its body/],
    [
      "with a name that it lacks",
      { body: { first_name: "Anna", date: "Monday" } },
      /first_name, day in its body/,
    ],
    ["without the end of its link", { buttons: full.buttons.slice(1) }, /needs the url of its button 0/],
    ["without its code", { buttons: full.buttons.slice(0, 2) }, /needs the code of its button 2/],
    [
      "with an id for its link",
      { buttons: [{ at: 0, id: "x" }, full.buttons[2]] },
      /no button 0 that carries id/,
    ],
    ["with a button that it lacks", { buttons: [...full.buttons, { at: 4, id: "x" }] }, /no button 4/],
  ])("%s fails its turn", async ([, over, detail]) => {
    const { rig, line } = await tried(send({ ...full, ...over }), (rig) => make(rig, rich));
    expect(line).toMatchObject({ reason: "template_parameters", detail: expect.stringMatching(detail) });
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
