import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import { createHubRig, type HubRig, kill, type Platform, startBot } from "../support/hub-rig.ts";
import type { NodeHub } from "../support/node-hub.ts";

/** Bugs known from a comparable project, one test for each, over HTTP with real Postgres and both emulators. */

const PHONE = "4915112345678";
const CHAT = { id: 7001, first_name: "Ada" };
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A bot that answers `to <text>`, and records its questions in order. */
function recorder(before: (turn: Turn, call: number) => Promise<void> = async () => {}) {
  const heard: string[] = [];
  let calls = 0;
  const bot: Bot = {
    history: 0,
    async reply(turn) {
      await before(turn, ++calls);
      heard.push(turn.message.text);
      return [{ kind: "text", text: `to ${turn.message.text}` }];
    },
  };
  return { bot, heard };
}

/** Polling limits that suffice on a busy machine. */
const soon = { timeout: 20_000, interval: 50 };

/** A customer's text on each platform. */
const WRITE = {
  telegram: (rig: HubRig, text: string) => rig.telegram.tell("/_customer/message", { chat: CHAT, text }),
  whatsapp: (rig: HubRig, text: string) => rig.whatsapp.tell("/_customer/message", { from: PHONE, text }),
};
const PLATFORMS = ["telegram", "whatsapp"] as const;

async function texts(platform: Platform): Promise<string[]> {
  return (await platform.replies()).map(({ text }) => text);
}

/** Sweeps until the platform has taken this many replies, then a while longer to catch extra ones. */
async function repliesBySweep(
  hub: Pick<NodeHub, "sweep">,
  platform: Platform,
  count: number,
): Promise<string[]> {
  await expect
    .poll(() => hub.sweep().then(() => texts(platform)), { timeout: 30_000, interval: 100 })
    .toHaveLength(count);
  await pause(200);
  await hub.sweep();
  return texts(platform);
}

async function nothingIsLeft({ sql }: HubRig): Promise<void> {
  const left = () => sql`select
    (select count(*)::int from public.turns) as turns,
    (select count(*)::int from public.deliveries where state <> 'sent') as deliveries`;
  await expect.poll(left, soon).toEqual([{ turns: 0, deliveries: 0 }]);
}

describe.each(PLATFORMS)("on %s", (name) => {
  test("ten overlapping messages of one customer all reach the bot, in order, and are answered in order", async () => {
    const rig = await createHubRig();
    const { bot, heard } = recorder(() => pause(50));
    await rig.open({ bot, paced: false });
    const written = Array.from({ length: 10 }, (_, i) => `message ${i}`);
    const sent = [];
    for (const text of written) {
      sent.push(WRITE[name](rig, text));
      if (name === "whatsapp") await sent.at(-1); // which delivers in any order, so the next one waits for the 200
    }
    for (const { status } of await Promise.all(sent)) expect(status).toBe(200);
    await expect.poll(() => texts(rig[name]), soon).toHaveLength(10);
    expect(heard).toEqual(written);
    expect(await texts(rig[name])).toEqual(written.map((text) => `to ${text}`));
    await nothingIsLeft(rig);
  });

  test("ten messages at the same instant all reach the bot, in the order they were stored", async () => {
    const rig = await createHubRig({ shuffle: true });
    const { bot, heard } = recorder(() => pause(20));
    await rig.open({ bot, paced: false });
    await Promise.all(Array.from({ length: 10 }, (_, i) => WRITE[name](rig, `message ${i}`)));
    await expect.poll(() => texts(rig[name]), soon).toHaveLength(10);
    const stored = await rig.sql`select text from public.messages where direction = 'inbound' order by seq`;
    expect(heard).toEqual(stored.map(({ text }) => text));
  });

  test("a bot that throws is asked again, and the customer is answered once", async () => {
    const rig = await createHubRig();
    const { bot } = recorder(async (_, call) => {
      if (call <= 2) throw new Error("out of order");
    });
    const hub = await rig.open({ bot, paced: false });
    await WRITE[name](rig, "Hello");
    expect(await repliesBySweep(hub, rig[name], 1)).toEqual(["to Hello"]);
    const outcomes = hub.lines.filter(({ event }) => event === "turn").map(({ fields }) => fields.outcome);
    expect(outcomes).toEqual(["failed", "failed", "done"]);
    await nothingIsLeft(rig);
  });

  test.for([{ status: 500 }, { status: 429, retry_after: 1 }])(
    "a platform that answers %j is asked again, and the customer is answered once",
    async (fault) => {
      const rig = await createHubRig();
      const hub = await rig.open({ bot: recorder().bot, paced: false });
      const method = name === "telegram" ? "sendMessage" : "text";
      await rig[name].tell("/_faults", { kind: "status", method, times: 2, ...fault });
      await WRITE[name](rig, "Hello");
      expect(await repliesBySweep(hub, rig[name], 1)).toEqual(["to Hello"]);
      expect((await rig[name].tell("/_faults")).faults).toEqual([]);
      await nothingIsLeft(rig);
    },
  );

  test("a redelivered message whose turn failed is no second message, and is still answered once", async () => {
    const rig = await createHubRig({ copies: 3 });
    const { bot, heard } = recorder(async (_, call) => {
      if (call === 1) throw new Error("out of order");
    });
    const hub = await rig.open({ bot, paced: false });
    await WRITE[name](rig, "Hello");
    expect(await repliesBySweep(hub, rig[name], 1)).toEqual(["to Hello"]);
    expect(heard).toEqual(["Hello"]);
  });
});

describe("a hub killed after it acknowledged a message", () => {
  const update = {
    update_id: 4711,
    message: {
      message_id: 99,
      date: 1_793_600_000,
      from: { id: CHAT.id, is_bot: false, first_name: "Ada" },
      chat: { ...CHAT, type: "private" },
      text: "Are you there?",
    },
  };

  /** Kills the hub while its bot works. Later calls find a bot that answers. */
  async function killedShop() {
    const rig = await createHubRig();
    let alive = false;
    const asked: number[] = [];
    const botUrl = await startBot(async ({ attempt, message }) => {
      asked.push(attempt);
      return alive ? [`to ${message.text}`] : new Promise<never>(() => {});
    });
    const over = { botUrl, leaseMs: 1_500, paced: false };
    const first = await rig.spawn(over);
    expect((await rig.telegram.tell("/_customer/update", update)).status).toBe(200);
    await expect.poll(() => asked, soon).toHaveLength(1);
    await kill(first);
    alive = true;
    return { rig, asked, second: await rig.spawn(over) };
  }

  test("answers it when the platform delivers it again", async () => {
    const { rig, asked } = await killedShop();
    await expect
      .poll(
        async () => {
          await rig.telegram.tell("/_customer/update", update);
          return texts(rig.telegram);
        },
        { timeout: 30_000, interval: 200 },
      )
      .toEqual(["to Are you there?"]);
    expect(asked).toEqual([1, 2]);
    expect(await rig.sql`select text from public.messages order by seq`).toEqual([
      { text: "Are you there?" },
      { text: "to Are you there?" },
    ]);
  });

  test("answers it by the sweep, if the platform does not deliver again", async () => {
    const { rig, second } = await killedShop();
    await expect
      .poll(() => second.kill("SIGUSR2") && texts(rig.telegram), { timeout: 30_000, interval: 200 })
      .toEqual(["to Are you there?"]);
    await nothingIsLeft(rig);
  });
});

describe("a button tapped once but delivered twice acts once", () => {
  test("on WhatsApp", async () => {
    const rig = await createHubRig({ copies: 2 });
    const { bot, heard } = recorder();
    await rig.open({ bot, paced: false });
    const interactive = { type: "button_reply", button_reply: { id: "pay", title: "Pay now" } };
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, interactive });
    await expect.poll(() => texts(rig.whatsapp), soon).toEqual(["to Pay now"]);
    await pause(300);
    expect(heard).toEqual(["Pay now"]);
    expect(await texts(rig.whatsapp)).toHaveLength(1);
  });

  test("on Telegram", async () => {
    const rig = await createHubRig({ copies: 2 });
    const { bot, heard } = recorder();
    await rig.open({ bot, paced: false });
    await WRITE.telegram(rig, "Menu");
    await expect.poll(() => rig.telegram.replies(), soon).toHaveLength(1);
    const [{ message_id } = { message_id: 0 }] = await rig.telegram.replies();
    await rig.telegram.tell("/_customer/callback", { chat: CHAT, data: "pay", message_id });
    await expect.poll(() => texts(rig.telegram), soon).toHaveLength(2);
    await pause(300);
    expect(heard).toEqual(["Menu", "pay"]);
  });
});

describe("an edit soon after a message is applied", () => {
  test("on Telegram, while the bot works and after", async () => {
    const rig = await createHubRig();
    const { bot } = recorder(() => pause(300));
    await rig.open({ bot, paced: false });
    const { message_id } = await WRITE.telegram(rig, "Two pizzas");
    await rig.telegram.tell("/_customer/edit", { chat: CHAT, message_id, text: "Three pizzas" });
    await expect.poll(() => rig.telegram.replies(), soon).toHaveLength(1);
    const [stored] =
      await rig.sql`select text, edited_at, revisions from public.messages where direction = 'inbound'`;
    expect(stored).toMatchObject({ text: "Three pizzas", revisions: [{ text: "Two pizzas" }] });
    expect(stored?.edited_at).toBeInstanceOf(Date);
  });

  test("on WhatsApp, even one that arrives before its message", async () => {
    const rig = await createHubRig();
    await rig.open({ bot: recorder().bot, paced: false });
    const edit = {
      original_message_id: "wamid.order",
      message: { type: "text", text: { body: "Three pizzas" } },
    };
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, edit });
    await rig.whatsapp.tell("/_customer/message", { from: PHONE, id: "wamid.order", text: "Two pizzas" });
    await expect.poll(() => rig.whatsapp.replies(), soon).toHaveLength(1);
    const [stored] = await rig.sql`select text from public.messages where direction = 'inbound'`;
    expect(stored).toEqual({ text: "Three pizzas" });
  });
});

test.for(["{}", "[]", '{"object":"whatsapp_business_account"}', '{"entry":null}', "null", "not JSON"])(
  "a signed body without entry is no 500: %s",
  async (body) => {
    const rig = await createHubRig({ maxTries: 1 });
    const hub = await rig.open({ bot: recorder().bot, paced: false });
    const response = await fetch(`${rig.options.whatsappUrl}/_customer/webhook`, { method: "POST", body });
    const { status } = (await response.json()) as any;
    expect([200, 400]).toContain(status);
    expect(hub.lines.filter(({ level }) => level === "error")).toEqual([]);
    await WRITE.whatsapp(rig, "Hello");
    await expect.poll(() => texts(rig.whatsapp), soon).toEqual(["to Hello"]);
  },
);

describe("no event of a platform is lost", () => {
  test("a failed receipt fails the reply, and is a dead letter with the platform's reason", async () => {
    const rig = await createHubRig();
    await rig.open({ bot: recorder().bot, paced: false });
    await WRITE.whatsapp(rig, "Hello");
    await expect.poll(() => rig.whatsapp.replies(), soon).toHaveLength(1);
    await rig.whatsapp.tell("/_settings", { statuses: false });
    await WRITE.whatsapp(rig, "Again");
    await expect.poll(() => rig.whatsapp.replies(), soon).toHaveLength(2);
    await rig.whatsapp.tell("/_customer/status", { from: PHONE, status: "failed", code: 131026 });
    const headers = { "x-api-key": "admin-key" };
    const list = async () =>
      ((await (await rig.ask("/api/dead-letters", { headers })).json()) as any).dead_letters;
    await expect.poll(list, soon).toMatchObject([{ type: "delivery", code: "rejected", reason: "131026" }]);
    const [{ session_id }] = await list();
    const path = `/api/sessions/${session_id}/messages`;
    const { messages } = (await (await rig.ask(path, { headers })).json()) as any;
    expect(messages.at(-1)).toMatchObject({ text: "to Again", status: "failed" });
  });

  test("contacts, orders and form replies are stored in full and reach the bot as text", async () => {
    const rig = await createHubRig();
    const { bot, heard } = recorder();
    await rig.open({ bot, paced: false });
    const contacts = [{ name: { formatted_name: "Ben" }, phones: [{ phone: "+49 30 1234567" }] }];
    const product_items = [{ product_retailer_id: "MUG-7", quantity: 2, item_price: 7.5, currency: "EUR" }];
    const response_json = '{"flow_token":"t-1","size":"XL"}';
    const interactive = { type: "nfm_reply", nfm_reply: { name: "flow", body: "Sent", response_json } };
    for (const said of [{ contacts }, { order: { catalog_id: "3001", product_items } }, { interactive }])
      await rig.whatsapp.tell("/_customer/message", { from: PHONE, ...said });
    await expect.poll(() => heard, soon).toHaveLength(3);
    expect(heard).toEqual([expect.stringContaining("Ben"), "2 x MUG-7", "size: XL"]);
    expect(
      await rig.sql`select kind, content from public.messages where direction = 'inbound' order by seq`,
    ).toMatchObject([
      { kind: "contact", content: { contacts: [{ name: "Ben" }] } },
      { kind: "order", content: { catalog_id: "3001", items: [{ product_id: "MUG-7", price: 7.5 }] } },
      { kind: "interaction", content: { interaction: "form", data: { size: "XL" } } },
    ]);
  });
});

test("of 3,000 messages under load none is left, and each customer is answered in order", async () => {
  const rig = await createHubRig();
  await rig.whatsapp.tell("/_settings", { statuses: false });
  const hub = await rig.open({ bot: recorder().bot, paced: false });
  const customers = Array.from({ length: 300 }, (_, i) => String(4_915_100_000_000 + i));
  const pending = customers.flatMap((from) =>
    Array.from({ length: 10 }, (_, i) => ({ from, text: `${from} ${i}` })),
  );
  // Ten rounds of all customers, fifty at once, so that a customer's messages overlap now and then.
  const queue = pending.sort((a, b) => a.text.at(-1)!.localeCompare(b.text.at(-1)!)).values();
  const writers = Array.from({ length: 50 }, async () => {
    for (const message of queue)
      expect((await rig.whatsapp.tell("/_customer/message", message)).status).toBe(200);
  });
  await Promise.all(writers);
  await expect
    .poll(async () => (await rig.whatsapp.replies()).length, { timeout: 180_000, interval: 500 })
    .toBe(3_000);
  await nothingIsLeft(rig);
  const replies = Map.groupBy(await rig.whatsapp.replies(), ({ chat_id }) => String(chat_id));
  const stored = await rig.sql`select text from public.messages where direction = 'inbound' order by seq`;
  const asked = Map.groupBy(stored, ({ text }) => text.split(" ")[0]);
  for (const from of customers)
    expect(replies.get(from)?.map(({ text }) => text)).toEqual(
      asked.get(from)?.map(({ text }) => `to ${text}`),
    );
  expect(hub.lines.filter(({ level }) => level === "error")).toEqual([]);
}, 300_000);

test("Postgres dropping its connections, idle or not, ends no process and loses no message", async () => {
  const rig = await createHubRig();
  const botUrl = await startBot(async ({ message }) => [`to ${message.text}`]);
  const child = await rig.spawn({ botUrl, leaseMs: 1_500, paced: false });
  const drop = () => rig.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'session-hub' and datname = current_database()`;
  await WRITE.whatsapp(rig, "one");
  await expect.poll(() => texts(rig.whatsapp), soon).toEqual(["to one"]);
  expect((await drop()).length).toBeGreaterThan(0);
  await pause(300);
  await WRITE.whatsapp(rig, "two");
  await expect.poll(() => texts(rig.whatsapp), soon).toEqual(["to one", "to two"]);
  const writing = Promise.all(Array.from({ length: 20 }, (_, i) => WRITE.whatsapp(rig, `busy ${i}`)));
  await drop();
  await drop();
  await writing;
  await expect
    .poll(() => child.kill("SIGUSR2") && texts(rig.whatsapp), { timeout: 20_000, interval: 300 })
    .toHaveLength(22);
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  expect(new Set(await texts(rig.whatsapp)).size).toBe(22);
});
