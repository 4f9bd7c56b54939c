import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import type { Reply } from "../../src/core/content/reply.ts";
import { syncTemplates } from "../../src/features/templates/sync.ts";
import { createHubRig, type HubRig, kill } from "../support/hub-rig.ts";
import type { NodeHub, NodeHubOptions } from "../support/node-hub.ts";

/** The 24-hour window over HTTP, with the real channel, a real Postgres and the emulator of the Cloud API. */

const FROM = "4915112345678";
const HOUR = 3_600_000;
const TEMPLATE = { WHATSAPP_WINDOW_TEMPLATE: "news", WHATSAPP_WINDOW_LANGUAGE: "de" };

/** A hub whose bot fails on the first message and answers it a day later, when its window is closed. */
async function late(
  replies: Reply[],
  over: Partial<NodeHubOptions> = {},
  ahead = 25 * HOUR,
  prepare: (rig: HubRig) => Promise<void> = async () => {},
) {
  const rig = await createHubRig();
  await prepare(rig);
  const clock = { aheadMs: 0 };
  const turns: Turn[] = [];
  let isUp = ahead === 0;
  const bot: Bot = {
    history: 0,
    async reply(turn) {
      if (!isUp) throw new Error("the bot is down");
      turns.push(turn);
      return turn.message.text === "first" ? replies : [];
    },
  };
  const hub = await rig.open({ bot, paced: false, clock, ...over });
  expect((await write(rig, "first")).status).toBe(200);
  await expect.poll(() => hub.lines.filter(({ event }) => event === "turn").length).toBe(1);
  isUp = true;
  await jump(rig, clock, ahead);
  await syncTemplates(hub.hub);
  await hub.sweep();
  return { rig, hub, clock, turns };
}

async function jump(rig: HubRig, clock: { aheadMs: number }, aheadMs: number): Promise<void> {
  clock.aheadMs = aheadMs;
  await rig.whatsapp.tell("/_settings", { aheadMs });
}

function write(rig: HubRig, text: string) {
  return rig.whatsapp.tell("/_customer/message", { from: FROM, text });
}

/** What the platform has taken for the customer, without read marks. */
async function taken({ whatsapp }: HubRig): Promise<any[]> {
  const { sent } = await whatsapp.tell("/_sent");
  return sent.filter(({ method }: any) => method !== "read" && method !== "typing");
}

async function states({ sql }: HubRig): Promise<string[]> {
  return (await sql`select state, reason from public.deliveries order by seq`).map(({ state, reason }) =>
    reason === null ? state : `${state} ${reason}`,
  );
}

function said(hub: NodeHub, event: string) {
  return hub.lines.filter((line) => line.event === event).map(({ fields }) => fields);
}

const soon = { timeout: 20_000, interval: 50 };
const text = (words: string, outside_window?: "hold" | "template" | "utility" | "fail"): Reply => ({
  kind: "text",
  text: words,
  ...(outside_window && { outside_window }),
});

describe("a bot and an operator are told when the window closes", () => {
  test("24 hours after the customer's message, by the platform's clock", async () => {
    const { turns, rig } = await late([text("hello")], {}, 0);
    const [{ sent_at }] =
      (await rig.sql`select sent_at from public.messages where direction = 'inbound'`) as any;
    expect(turns[0]?.window_closes_at).toEqual(new Date(sent_at.getTime() + 24 * HOUR));
    const [{ session_id }] = (await rig.sql`select session_id from public.sessions`) as any;
    const answer = await rig.ask(`/api/sessions/${session_id}`, { headers: { "x-api-key": "admin-key" } });
    expect(((await answer.json()) as any).windows).toEqual([
      {
        channel: "whatsapp",
        account: expect.any(String),
        window_closes_at: turns[0]?.window_closes_at?.toISOString(),
      },
    ]);
    expect((await taken(rig)).map((one) => one.text)).toEqual(["hello"]);
  });
});

describe("outside the window", () => {
  test("a free text is not tried, and is a dead letter", async () => {
    const { rig, turns } = await late([text("hello"), { kind: "reaction", emoji: "👍" }]);
    expect(turns[0]?.window_closes_at?.getTime()).toBeLessThan(Date.now() + 25 * HOUR);
    await expect.poll(() => states(rig), soon).toEqual(["dead window_closed", "dead window_closed"]);
    expect(await taken(rig)).toEqual([]);
  });

  test("a text that may wait goes out once when the customer writes twice at once, before the answers", async () => {
    const { rig, hub, clock } = await late([text("one", "hold"), text("two", "hold")]);
    await expect.poll(() => states(rig), soon).toEqual(["held window_closed"]);
    expect(await taken(rig)).toEqual([]);
    await jump(rig, clock, 30 * HOUR);
    await Promise.all([write(rig, "back"), write(rig, "again")]);
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    await hub.sweep();
    expect((await taken(rig)).map((one) => one.text)).toEqual(["one\n\ntwo"]);
  });

  test("a text becomes the configured template with the text as its variable, on one line", async () => {
    const { rig } = await late([text("Your order\nis ready.", "template")], { env: TEMPLATE });
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    expect(await taken(rig)).toMatchObject([
      {
        method: "template",
        template: {
          name: "news",
          language: { code: "de" },
          components: [{ type: "body", parameters: [{ type: "text", text: "Your order is ready." }] }],
        },
      },
    ]);
    const metrics = await rig.ask("/metrics", { headers: { "x-api-key": "admin-key" } });
    expect(await metrics.text()).toMatch(/^hub_billable_sends_total\{[^}]*"utility"[^}]*\} 1$/m);
  });

  test.for<[string, object, string]>([
    ["paused", { status: "PAUSED" }, "template_not_approved"],
    ["not there in its language", { language: "fr" }, "template_not_found"],
    ["one of two variables", { body: "{{1}} {{2}}" }, "template_parameters"],
  ])("the configured template is not tried when it is %s", async ([, over, reason]) => {
    const env = { ...TEMPLATE, WHATSAPP_BUSINESS_ACCOUNT_ID: "102290129340398" };
    const template = { name: "news", language: "de", body: "News: {{1}}", ...over };
    const { rig } = await late([text("hello", "template")], { env }, 25 * HOUR, async ({ whatsapp }) => {
      await whatsapp.tell("/_templates", template);
    });
    await expect.poll(() => states(rig), soon).toEqual([`dead ${reason}`]);
    expect(await taken(rig)).toEqual([]);
  });

  test("a reply without a wish does what the settings say", async () => {
    const env = { ...TEMPLATE, WHATSAPP_OUTSIDE_WINDOW: "template" };
    const { rig } = await late([text("hello")], { env });
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    expect(await taken(rig)).toMatchObject([{ method: "template" }]);
  });

  test("of a text in parts the template carries the first, and the others wait for the answer to it", async () => {
    const long = `${"first ".repeat(700)}\n\n${"second ".repeat(500)}`;
    const { rig, clock } = await late([text(long, "template")], { env: TEMPLATE });
    await expect.poll(() => states(rig), soon).toEqual(["sent", "held window_closed"]);
    await jump(rig, clock, 26 * HOUR);
    await write(rig, "yes");
    await expect.poll(() => states(rig), soon).toEqual(["sent", "sent"]);
    expect((await taken(rig)).map(({ method }) => method)).toEqual(["template", "text"]);
  });

  test("a text and buttons go by Direct Send where the account may, and a picture does not", async () => {
    const buttons: Reply = {
      kind: "buttons",
      text: "Which?",
      buttons: [{ id: "a", title: "A" }],
      outside_window: "utility",
    };
    const image: Reply = {
      kind: "image",
      media: { url: "https://shop.example/a.png" },
      outside_window: "utility",
    };
    // A reply with a call of its own is not joined with the next one.
    const replies = [{ ...text("hello", "utility"), raw: {} } as Reply, buttons, image];
    const direct = await lateOn(replies, { WHATSAPP_DIRECT_SEND: "true" });
    await expect.poll(() => states(direct.rig), soon).toEqual(["sent", "sent", "dead window_closed"]);
    expect(await taken(direct.rig)).toMatchObject([
      { method: "text", category: "utility" },
      { method: "interactive", category: "utility" },
    ]);
  });

  test("a template is sent as it is", async () => {
    const { rig } = await late([{ kind: "template", name: "hello_world", language: "en_US" }]);
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
  });

  test("a platform that calls a window closed which the hub holds for open is right, and is not asked again", async () => {
    const rig = await createHubRig();
    await rig.whatsapp.tell("/_settings", { statuses: false });
    const bot: Bot = {
      history: 0,
      async reply({ message }) {
        if (message.text === "first")
          await rig.whatsapp.tell("/_customer/silence", { from: FROM, hours: 25 });
        return message.text === "first" ? [text("one", "hold")] : [];
      },
    };
    const hub = await rig.open({ bot, paced: false });
    await write(rig, "first");
    await expect.poll(() => states(rig), soon).toEqual(["held window_closed"]);
    expect(said(hub, "delivery.outside_window")).toMatchObject([{ as: "held", refused: true }]);
    await hub.sweep();
    expect(await states(rig)).toEqual(["held window_closed"]);
    await write(rig, "back");
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    expect((await taken(rig)).map((one) => one.text)).toEqual(["one"]);
  });
});

describe("a platform that takes a text and refuses it afterwards", () => {
  async function refusedLate(reply: Reply, env: Record<string, string> = {}) {
    const rig = await createHubRig();
    await rig.whatsapp.tell("/_settings", { windowErrors: "status" });
    const bot: Bot = {
      history: 0,
      async reply({ message }) {
        if (message.text === "first")
          await rig.whatsapp.tell("/_customer/silence", { from: FROM, hours: 25 });
        return message.text === "first" ? [reply] : [];
      },
    };
    await rig.open({ bot, paced: false, env });
    await write(rig, "first");
    return rig;
  }

  test("has it wait for the customer", async () => {
    const rig = await refusedLate(text("one", "hold"));
    await expect.poll(() => states(rig), soon).toEqual(["held window_closed"]);
    await write(rig, "back");
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    const [refused, again] = await taken(rig);
    expect([refused.text, again.text]).toEqual(["one", "one"]);
    expect(again.message_id).not.toBe(refused.message_id);
  });

  test("gets the template at once", async () => {
    const rig = await refusedLate(text("one", "template"), TEMPLATE);
    await expect
      .poll(async () => (await taken(rig)).map(({ method }) => method), soon)
      .toEqual(["text", "template"]);
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
  });

  test("makes a dead letter of one whose sender wants nothing else", async () => {
    const rig = await refusedLate(text("one"));
    await expect.poll(() => states(rig), soon).toEqual(["dead 131047"]);
    expect(await taken(rig)).toHaveLength(1);
  });
});

/** As `late`, with an account that may use Direct Send. */
async function lateOn(replies: Reply[], env: Record<string, string>) {
  const rig = await createHubRig();
  await rig.whatsapp.tell("/_settings", { directSend: true });
  const clock = { aheadMs: 0 };
  let isUp = false;
  const bot: Bot = {
    history: 0,
    async reply() {
      if (!isUp) throw new Error("the bot is down");
      return replies;
    },
  };
  const hub = await rig.open({ bot, paced: false, clock, env });
  await write(rig, "first");
  await expect.poll(() => said(hub, "turn").length).toBe(1);
  isUp = true;
  await jump(rig, clock, 25 * HOUR);
  await hub.sweep();
  return { rig, hub };
}

describe("a hub that dies", () => {
  test("between the customer's message and the send loses nothing that waits, and sends it once", async () => {
    const { rig, hub, clock } = await late([text("one", "hold")]);
    await expect.poll(() => states(rig), soon).toEqual(["held window_closed"]);
    await jump(rig, clock, 30 * HOUR);
    await hub.stop();
    // The platform takes the call only after the process is gone.
    await rig.whatsapp.tell("/_faults", { kind: "timeout", method: "text", times: 1 });
    const child = await rig.spawn({ paced: false, clock, leaseMs: 2_000, botUrl: "http://127.0.0.1:9" });
    const written = write(rig, "back");
    await expect.poll(() => states(rig), soon).toEqual(["sending"]);
    await pause(200);
    await kill(child);
    await written.catch(() => {});
    expect(await taken(rig)).toEqual([]);
    const after = await rig.open({ bot: { history: 0, reply: async () => [] }, paced: false, clock });
    await expect
      .poll(() => after.sweep().then(() => states(rig)), { timeout: 30_000, interval: 300 })
      .toEqual(["sent"]);
    expect((await taken(rig)).map((one) => one.text)).toEqual(["one"]);
  });
});

describe("clocks that jump", () => {
  test("a hub that is two days ahead sends nothing late, and what waits goes out when its clock is right", async () => {
    const rig = await createHubRig();
    const clock = { aheadMs: 48 * HOUR };
    const bot: Bot = {
      history: 0,
      reply: async ({ message }) => [text(`to ${message.text}`, "hold")],
    };
    const hub = await rig.open({ bot, paced: false, clock });
    await write(rig, "first");
    await expect.poll(() => states(rig), soon).toEqual(["held window_closed"]);
    clock.aheadMs = 0;
    await write(rig, "second");
    await expect.poll(() => hub.sweep().then(() => states(rig)), soon).toEqual(["sent", "sent"]);
    expect((await taken(rig)).map((one) => one.text)).toEqual(["to first", "to second"]);
  });

  test("a hub that is a day behind holds a window for closed sooner, never for longer", async () => {
    const rig = await createHubRig();
    const clock = { aheadMs: -24 * HOUR };
    await rig.open({ bot: { history: 0, reply: async () => [text("hello")] }, paced: false, clock });
    await write(rig, "first");
    await expect.poll(() => states(rig), soon).toEqual(["sent"]);
    const [row] = await rig.sql`select closes_at from public.reply_windows`;
    expect(row!.closes_at.getTime()).toBeLessThanOrEqual(Date.now());
  });

  test("a platform whose clock is ahead opens no more than a day", async () => {
    const rig = await createHubRig();
    await rig.whatsapp.tell("/_settings", { aheadMs: 10 * HOUR });
    await rig.open({ bot: { history: 0, reply: async () => [] }, paced: false });
    await write(rig, "first");
    const [row] = await rig.sql`select closes_at from public.reply_windows`;
    expect(row!.closes_at.getTime()).toBeLessThanOrEqual(Date.now() + 24 * HOUR);
  });

  test("a message that comes a day late opens nothing", async () => {
    const rig = await createHubRig();
    await rig.whatsapp.tell("/_settings", { aheadMs: -25 * HOUR });
    const hub = await rig.open({ bot: { history: 0, reply: async () => [text("hello")] }, paced: false });
    await write(rig, "first");
    await expect.poll(() => states(rig), soon).toEqual(["dead window_closed"]);
    expect(await taken(rig)).toEqual([]);
    expect(said(hub, "delivery.failed")).toMatchObject([{ reason: "window_closed", dead: true }]);
  });
});
