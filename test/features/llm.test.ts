import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { answer } from "../../src/core/answer/answer.ts";
import type { Conversations } from "../../src/core/receive/conversations.ts";
import { textIn } from "../../src/core/texts/text-in.ts";
import {
  type Asked,
  json,
  lastOf,
  type ModelServer,
  startModelServer,
  USAGE,
} from "../support/model-server.ts";
import { handoffs, type ModelShop, modelShop, settingsFor } from "../support/model-shop.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 8 });
const [[, call]] = transports as [(typeof transports)[number]];
const SENTENCE = textIn("en", "handed_over");
const ANNA = { phone: "+4915112345601" };

let model: ModelServer;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.stop());
beforeEach(async () => {
  model.think(() => "Hello");
  await empty();
});

const shopWith = (env: Record<string, string> = {}, parts: Parameters<typeof modelShop>[2] = {}): ModelShop =>
  modelShop(call(), { ...settingsFor(model), ...env }, parts);
const system = ({ body }: Asked) => body.messages[0]!.content!;
const usage = async () =>
  (await owner()`select turns, input_tokens::int, output_tokens::int, held_tokens::int from model_usage`).map(
    (row) => ({
      ...row,
    }),
  );
const reservations = async () =>
  (await owner()`select status, guests, name from reservations order by created_at`).map((row) => ({
    ...row,
  }));
const table = { name: "Anna", datetime: "2026-12-01T19:00:00", guests: 4 };

describe("the language model", () => {
  test("answers with the conversation, the operator's words, the time and the tools", async () => {
    const hub = shopWith({
      LLM_SYSTEM_PROMPT: "You work for Tea & Co.",
      LLM_TIMEZONE: "Europe/Berlin",
      LLM_API_KEY: "the key",
    });
    const anna = await hub.visitor(ANNA);
    expect(await anna.say("Hi")).toEqual(["Hello"]);
    model.think(() => "Until six.");
    expect(await anna.say("Until when are you open?")).toEqual(["Until six."]);
    const [asked] = model.asked as [Asked];
    expect(asked.headers.authorization).toBe("Bearer the key");
    expect(asked.body).toMatchObject({ model: "test-model", max_tokens: 800, tool_choice: "auto" });
    expect(asked.body.messages.slice(1)).toEqual([
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "user", content: "Until when are you open?" },
    ]);
    expect(system(asked)).toMatch(/^You work for Tea & Co\.\n/);
    expect(system(asked)).toContain("It is now Monday, 2026-11-02 11:00 GMT+01:00 (Europe/Berlin)");
    expect(asked.body.tools!.map((tool) => tool.function.name)).toEqual([
      "find_orders",
      "find_reservations",
      "book_reservation",
      "cancel_reservation",
      "get_customer",
      "search_knowledge",
      "hand_over",
    ]);
  });

  test("is told the session's language", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    await anna.choose("pt-BR");
    await anna.say("Oi");
    expect(system(model.asked[0]!)).toContain("Answer in Brazilian Portuguese (pt-BR).");
  });

  test("gets messages that came together in one turn", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    model.think(async () => {
      await wait(300);
      return "Hello";
    });
    await Promise.all([
      anna.say("one"),
      wait(100).then(() => anna.say("two")),
      wait(150).then(() => anna.say("three")),
    ]);
    expect(model.asked.map((asked) => lastOf(asked, "user"))).toEqual(["one", "one\ntwo\nthree"]);
  });

  test("leaves out what it thought", async () => {
    model.think(() => "<think>They greet me.</think>\nHi!");
    expect(await (await shopWith().visitor()).say("Hi")).toEqual(["Hi!"]);
  });
});

describe("its tools", () => {
  test("show the customer's orders, without the ids of the shop's payment", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    const order = {
      order_id: "A-1",
      amount: "12.50",
      currency: "EUR",
      payment_intent_id: "pi_secret",
      items: [{ sku: "tea", quantity: 2 }],
    };
    const made = await hub.request("/api/orders", {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "admin-key" },
      body: JSON.stringify({ ...order, session_id: anna.id }),
    });
    expect(made.status).toBe(201);
    model.think((_, n) => (n === 0 ? { calls: [["find_orders", {}]] } : "It is on its way."));
    expect(await anna.say("Where is my order?")).toEqual(["It is on its way."]);
    const result = JSON.parse(lastOf(model.asked[1]!, "tool"));
    expect(result.orders).toMatchObject([
      { order_id: "A-1", amount: "12.50", status: "pending", items: [{ sku: "tea" }] },
    ]);
    expect(lastOf(model.asked[1]!, "tool")).not.toMatch(/pi_secret|session_id|customer_key/);
  });

  test("book and cancel, saved with the answer", async () => {
    const hub = shopWith({ LLM_TIMEZONE: "Europe/Berlin" });
    const anna = await hub.visitor(ANNA);
    model.think((_, n) => (n === 0 ? { calls: [["book_reservation", table]] } : "Booked."));
    expect(await anna.say("A table for four tomorrow at seven")).toEqual(["reservation_created", "Booked."]);
    const [row] = await owner()`select reservation_id, datetime, timezone, guests from reservations`;
    expect(row).toMatchObject({
      datetime: new Date("2026-12-01T18:00:00Z"),
      timezone: "Europe/Berlin",
      guests: 4,
    });
    model.think((_, n) => {
      if (n === 0) return { calls: [["find_reservations", {}]] };
      if (n === 1) return { calls: [["cancel_reservation", { reservation_id: row!.reservation_id }]] };
      return "Cancelled.";
    });
    expect(await anna.say("Please cancel it")).toEqual(["reservation_cancelled", "Cancelled."]);
    expect(JSON.parse(lastOf(model.asked[1]!, "tool")).reservations).toMatchObject([
      { name: "Anna", guests: 4 },
    ]);
    expect(model.asked[0]!.body.messages.at(-2)!.content).toBe("Booked.");
    expect(model.asked[0]!.body.messages.at(-3)!.content).toContain('"event":"reservation_created"');
    expect(await reservations()).toMatchObject([{ status: "cancelled" }]);
  });

  test("tell the model what is wrong, and it tries again", async () => {
    const wrong: [string, unknown][] = [
      ["book_reservation", { ...table, guests: 0 }],
      ["book_reservation", { ...table, customer_id: "103" }],
      ["book_reservation", { ...table, datetime: "tomorrow" }],
      ["book_reservation", { ...table, datetime: "2026-10-01T19:00:00Z" }],
      ["book_reservation", "{not json"],
      ["cancel_reservation", { reservation_id: crypto.randomUUID() }],
      ["find_orders", { customer_id: "103" }],
      ["delete_everything", {}],
      ["constructor", {}],
      ["__proto__", {}],
    ];
    const hub = shopWith({ LLM_TURN_STEPS: "20", LLM_TURN_TOKENS: "100000" });
    model.think((_, n) => (n < wrong.length ? { calls: [wrong[n]!] } : "I cannot."));
    expect(await (await hub.visitor(ANNA)).say("Try")).toEqual(["I cannot."]);
    const results = model.asked.slice(1).map((asked) => JSON.parse(lastOf(asked, "tool")));
    for (const result of results) expect(result).toHaveProperty("error");
    expect(results[1].details[0]).toContain("customer_id");
    expect(await reservations()).toEqual([]);
  });

  test("are done once in a turn, however often the model calls them, under any id", async () => {
    const hub = shopWith();
    model.think((_, n) => {
      if (n === 0)
        return {
          calls: [
            ["book_reservation", table, "a"],
            ["book_reservation", table, "a"],
          ],
        };
      if (n === 1)
        return { calls: [["book_reservation", { guests: 4, datetime: table.datetime, name: "Anna" }, "b"]] };
      return "Booked.";
    });
    expect(await (await hub.visitor(ANNA)).say("A table")).toEqual(["reservation_created", "Booked."]);
    expect(await reservations()).toHaveLength(1);
  });

  test("end in a loop at the limit of steps, and a person is asked", async () => {
    const hub = shopWith({ LLM_TURN_STEPS: "4" });
    model.think(() => ({ calls: [["find_orders", {}]] }));
    expect(await (await hub.visitor(ANNA)).say("Loop")).toEqual([SENTENCE]);
    expect(model.asked.map(({ body }) => body.tool_choice)).toEqual(["auto", "auto", "auto", "none"]);
    expect(await handoffs(owner())).toMatchObject([{ reason: "failed" }]);
    expect(hub.events("llm.handed_over")).toMatchObject([{ reason: "llm_no_answer" }]);
  });

  test("hand over to a person: with the model's words, the mark on the session, and a count", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    model.think((_, n) =>
      n === 0 ? { calls: [["hand_over", { reason: "angry" }]] } : "A colleague will write to you.",
    );
    expect(await anna.say("I want a person")).toEqual(["A colleague will write to you."]);
    const [session] = await hub.hub.store.sessions.find({ session_id: anna.id }, hub.clock.now);
    expect(session!.metadata.handoff).toEqual({ reason: "asked", at: hub.clock.now.toISOString() });
    expect(hub.events("turn").at(-1)).toMatchObject({ outcome: "done", handoff: true });
    const metrics = await (await hub.request("/metrics", { headers: { "x-api-key": "admin-key" } })).text();
    expect(metrics).toContain('hub_handoffs_total{channel="web"} 1');
  });
});

describe("a turn that is tried again", () => {
  /** A hub whose database calls can be made to end as the test says. */
  function breakable() {
    let fault:
      | ((save: () => ReturnType<Conversations["complete"]>) => ReturnType<Conversations["complete"]>)
      | undefined;
    const whole = shopWith();
    const { conversations, ...store } = whole.hub.store;
    const shaky: Conversations = {
      ...conversations,
      complete: (...given) =>
        fault ? fault(() => conversations.complete(...given)) : conversations.complete(...given),
    };
    const hub = shopWith({}, { store: { ...store, conversations: shaky } });
    return { hub, breakWith: (next: typeof fault) => (fault = next) };
  }
  const crash = new Error("killed");

  test("after a crash between the tool's call and the save books once, also if the model then says other words", async () => {
    const { hub, breakWith } = breakable();
    const anna = await hub.visitor(ANNA);
    model.think((_, n) =>
      n % 2 === 0 ? { calls: [["book_reservation", table, `id${n}`]] } : `Booked ${n}.`,
    );
    breakWith(async () => {
      throw crash;
    });
    expect(await anna.say("A table")).toEqual([]);
    expect(await reservations()).toEqual([]);
    breakWith(undefined);
    await hub.later();
    expect(model.asked).toHaveLength(4);
    expect(await anna.texts()).toEqual(["A table", "reservation_created", "Booked 3."]);
    expect(await reservations()).toHaveLength(1);
    await hub.later();
    expect(await reservations()).toHaveLength(1);
  });

  test("after a crash behind the save books once", async () => {
    const { hub, breakWith } = breakable();
    const anna = await hub.visitor(ANNA);
    model.think((_, n) => (n % 2 === 0 ? { calls: [["book_reservation", table]] } : "Booked."));
    breakWith(async (save) => {
      await save();
      throw crash;
    });
    expect(await anna.say("A table")).toEqual(["reservation_created", "Booked."]);
    breakWith(undefined);
    await hub.later();
    expect(await reservations()).toHaveLength(1);
    expect(model.asked).toHaveLength(2);
  });

  test("by two workers at once is saved once", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    const { conversations } = hub.hub.store;
    model.think(() => new Promise(() => {}));
    const begun = anna.say("A table").catch(() => {});
    await expect.poll(() => model.asked.length).toBe(1);
    model.think(({ body }) =>
      body.messages.at(-1)!.role === "tool" ? "Booked." : { calls: [["book_reservation", table]] },
    );
    hub.clock.now = new Date(hub.clock.now.getTime() + 120_000);
    const { turns } = await conversations.due(hub.clock.now, 5);
    expect(turns).toHaveLength(1);
    await Promise.all([answer(hub.hub, turns[0]!), answer(hub.hub, { ...turns[0]! })]);
    expect(await reservations()).toHaveLength(1);
    expect((await anna.texts()).filter((text) => text === "Booked.")).toHaveLength(1);
    await Promise.race([begun, wait(100)]);
  });

  test("because its action was refused is asked again with the reason", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    model.think((_, n) => (n === 0 ? { calls: [["book_reservation", table]] } : "Booked."));
    await anna.say("A table");
    const [row] = await owner()`select reservation_id from reservations`;
    model.think(async (_, n) => {
      if (n === 0) return { calls: [["cancel_reservation", row]] };
      if (n === 1) await owner()`update reservations set status = 'seated'`;
      return n === 1 ? "Cancelled." : "You are seated already.";
    });
    expect(await anna.say("Cancel it")).toEqual([]);
    await hub.later();
    expect(await anna.texts()).not.toContain("Cancelled.");
    expect((await anna.texts()).at(-1)).toBe("You are seated already.");
    expect(system(model.asked[2]!)).toContain("was refused: illegal_transition");
  });

  test("and dropped in the end is answered by the sentence, and a person is asked", async () => {
    const { hub, breakWith } = breakable();
    const anna = await hub.visitor(ANNA);
    breakWith(async () => {
      throw crash;
    });
    await anna.say("Hi");
    for (let attempt = 2; attempt <= 8; attempt++) await hub.later();
    const asked = model.asked.length;
    expect(asked).toBe(3);
    breakWith(undefined);
    await hub.later();
    expect(await anna.texts()).toEqual(["Hi", SENTENCE]);
    expect(hub.events("turn.given_up")).toMatchObject([{ reason: "abandoned" }]);
    expect(await handoffs(owner())).toMatchObject([{ reason: "failed" }]);
    expect(await hub.hub.store.operations.deadLetters(undefined, 5)).toEqual([]);
  });
});

describe("an endpoint", () => {
  test("that is too slow ends in one sentence in the customer's language, and a person is asked", async () => {
    const hub = shopWith({ LLM_TIMEOUT_SECONDS: "0.5" });
    const anna = await hub.visitor(ANNA);
    await anna.choose("es");
    model.think(() => new Promise(() => {}));
    expect(await anna.say("Hola")).toEqual([textIn("es", "handed_over")]);
    expect(await handoffs(owner())).toMatchObject([{ reason: "failed" }]);
    expect(hub.events("llm.handed_over")).toMatchObject([{ reason: "llm_timeout" }]);
    // The same sentence is not said twice in a row.
    expect(await anna.say("¿Hola?")).toEqual([]);
    // Nobody knows what the calls have used.
    const [{ held_tokens }] = (await usage()) as [any];
    expect(held_tokens).toBeGreaterThan(1_000);
  });

  test("that begins an answer and never ends it is as slow", async () => {
    const hub = shopWith({ LLM_TIMEOUT_SECONDS: "0.5" });
    model.think(() => (response) => {
      response.writeHead(200, { "content-type": "application/json" }).write('{"choices":');
    });
    expect(await (await hub.visitor(ANNA)).say("Hi")).toEqual([SENTENCE]);
  });

  test("that sends without end is cut off", async () => {
    const hub = shopWith();
    let sent = 0;
    model.think(() => (response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = () => {
        sent += 65_536;
        if (!response.destroyed && sent < 100_000_000)
          response.write(" ".repeat(65_536), () => setImmediate(more));
      };
      more();
    });
    const anna = await hub.visitor(ANNA);
    expect(await anna.say("Hi")).toEqual([]);
    expect(sent).toBeLessThan(20_000_000);
    expect(hub.events("turn").at(-1)).toMatchObject({ outcome: "failed", reason: "llm_bad_answer" });
  });

  const broken: [string, Parameters<ModelServer["think"]>[0], string][] = [
    [
      "sends wrong JSON",
      () => (r) => void r.writeHead(200, { "content-type": "application/json" }).end('{"choices": ['),
      "llm_bad_answer",
    ],
    [
      "sends a page",
      () => (r) => void r.writeHead(200, { "content-type": "text/html" }).end("<html>"),
      "llm_bad_answer",
    ],
    [
      "sends another shape",
      () => (r) => json(r, { choices: [{ message: { content: { text: 1 } } }] }),
      "llm_bad_answer",
    ],
    ["sends no choice", () => (r) => json(r, { choices: [] }), "llm_bad_answer"],
    ["sends null", () => (r) => json(r, null), "llm_bad_answer"],
    ["fails", () => (r) => json(r, { error: { message: "boom" } }, 500), "llm_http_500"],
    ["does not know the key", () => (r) => json(r, { error: { message: "no" } }, 401), "llm_http_401"],
    ["sends elsewhere", () => (r) => json(r, {}, 302, { location: "http://127.0.0.1:9/v1" }), "llm_http_302"],
    ["hangs up", () => (r) => void r.destroy(), "llm_unreachable"],
  ];
  test.each(broken)(
    "that %s is asked again, three attempts in all, and then a person is",
    async (_, think, reason) => {
      const hub = shopWith();
      const anna = await hub.visitor(ANNA);
      model.think(think);
      expect(await anna.say("Hi")).toEqual([]);
      expect(hub.events("turn").at(-1)).toMatchObject({ outcome: "failed", reason });
      await hub.later();
      await hub.later();
      expect(await anna.texts()).toEqual(["Hi", SENTENCE]);
      // Each attempt asks twice.
      expect(model.asked).toHaveLength(6);
      expect(await handoffs(owner())).toMatchObject([{ reason: "failed" }]);
      expect(await usage()).toMatchObject([{ turns: 3, input_tokens: 0, output_tokens: 0, held_tokens: 0 }]);
    },
  );

  test("that fails once is asked again at once", async () => {
    const hub = shopWith();
    model.think((_, n) => (n === 0 ? (r) => json(r, {}, 500) : "Here I am."));
    expect(await (await hub.visitor(ANNA)).say("Hi")).toEqual(["Here I am."]);
  });

  test("that asks to wait is asked again after that wait, shortly or in a later attempt", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    model.think((_, n) => (n === 0 ? (r) => json(r, {}, 429, { "retry-after": "1" }) : "Hello"));
    const began = performance.now();
    expect(await anna.say("Hi")).toEqual(["Hello"]);
    expect(performance.now() - began).toBeGreaterThan(990);
    model.think((_, n) => (n === 0 ? (r) => json(r, {}, 429, { "retry-after": "300" }) : "Hello again"));
    expect(await anna.say("Hi?")).toEqual([]);
    expect(model.asked).toHaveLength(1);
    await hub.later(2);
    expect(model.asked).toHaveLength(1);
    await hub.later(4);
    expect((await anna.texts()).at(-1)).toBe("Hello again");
  });

  test("leaves neither its words nor the customer's in the log", async () => {
    const hub = shopWith();
    const anna = await hub.visitor(ANNA);
    model.think(() => (r) => json(r, { error: { message: "CANARY of the endpoint" } }, 400));
    await anna.say("CANARY of the customer");
    model.think(() => ({ calls: [["hand_over", { reason: "CANARY of the model" }]], text: "CANARY" }));
    await hub.later();
    expect(hub.lines.length).toBeGreaterThan(3);
    expect(JSON.stringify(hub.lines)).not.toContain("CANARY");
  });
});

describe("limits", () => {
  test("count tokens by customer and day, and show them in the metrics", async () => {
    const hub = shopWith({ LLM_INPUT_PRICE: "2.5", LLM_OUTPUT_PRICE: "10" });
    const anna = await hub.visitor(ANNA);
    await anna.say("one");
    await anna.say("two");
    expect(await usage()).toEqual([{ turns: 2, input_tokens: 200, output_tokens: 40, held_tokens: 0 }]);
    const metrics = await (await hub.request("/metrics", { headers: { "x-api-key": "admin-key" } })).text();
    expect(metrics).toContain('hub_llm_tokens_total{direction="input"} 200');
    expect(metrics).toContain('hub_llm_tokens_total{direction="output"} 40');
    expect(metrics).toContain("hub_llm_turns_total 2");
    expect(metrics).toContain(`hub_llm_cost_total ${(200 * 2.5 + 40 * 10) / 1e6}`);
  });

  test.each([
    [
      "tokens of a customer's day",
      { LLM_CUSTOMER_DAY_TOKENS: "4000", LLM_TURN_TOKENS: "4000" },
      "llm_limit_tokens",
    ],
    ["turns of a customer's day", { LLM_CUSTOMER_DAY_TURNS: "1" }, "llm_limit_turns"],
    [
      "money of the hub's day",
      { LLM_DAY_COST: "0.004", LLM_INPUT_PRICE: "1", LLM_OUTPUT_PRICE: "2" },
      "llm_limit_cost",
    ],
  ])(
    "of %s end in the sentence and a person; once one gives it back, the next day",
    async (_, env, reason) => {
      const hub = shopWith(env);
      const anna = await hub.visitor(ANNA);
      const said: string[] = [];
      for (let i = 0; i < 40 && said.at(-1) !== SENTENCE; i++) said.push(...(await anna.say(`message ${i}`)));
      expect(said[0]).toBe("Hello");
      expect(said.at(-1)).toBe(SENTENCE);
      expect(hub.events("llm.handed_over")).toMatchObject([{ reason }]);
      expect(await handoffs(owner())).toMatchObject([{ reason: "limit" }]);
      const asked = model.asked.length;
      expect(await anna.say("And now?")).toEqual([]);
      expect(model.asked).toHaveLength(asked);
      hub.clock.now = new Date(hub.clock.now.getTime() + 86_400_000);
      expect(await anna.say("A new day")).toEqual([]);
      const email = "ana@shop.example";
      const { staff, conversations } = hub.hub.store.features!;
      await staff
        .add({ actor: "test" }, { email, name: "Ana", role: "agent" }, hub.clock.now)
        .catch(() => {});
      const token = crypto.randomUUID();
      await staff.signIn({ email }, token, hub.clock.now);
      const at = { staff: token, now: hub.clock.now };
      const [mine] = (await conversations.list(at, { view: "unassigned", limit: 1 })).conversations;
      await conversations.hold(at, mine!.customer_key, { action: "close" });
      expect(await anna.say("And again")).toEqual(["Hello"]);
    },
  );

  test("of one turn stop a model that goes on calling", async () => {
    const hub = shopWith({ LLM_TURN_TOKENS: "4000", LLM_TURN_STEPS: "20" });
    model.think(
      (_, n) => (r) =>
        json(r, {
          choices: [
            {
              message: {
                content: "",
                tool_calls: [
                  {
                    id: `c${n}`,
                    type: "function",
                    function: { name: "find_orders", arguments: `{"n":${n}}` },
                  },
                ],
              },
            },
          ],
          usage: { prompt_tokens: 900, completion_tokens: 100 },
        }),
    );
    expect(await (await hub.visitor(ANNA)).say("Loop")).toEqual([SENTENCE]);
    expect(model.asked.length).toBeLessThan(5);
    expect(hub.events("llm.handed_over")).toMatchObject([{ reason: "llm_limit_turn" }]);
  });

  test("are never passed by turns at once", async () => {
    const hub = shopWith({ LLM_DAY_COST: "0.02", LLM_INPUT_PRICE: "1", LLM_OUTPUT_PRICE: "2" });
    model.think(async () => {
      await wait(50);
      return (r) =>
        json(r, {
          choices: [{ message: { content: "Hello" } }],
          usage: { prompt_tokens: 1_000, completion_tokens: 700 },
        });
    });
    const people = await Promise.all(Array.from({ length: 20 }, () => hub.visitor()));
    await Promise.all(people.map((one) => one.say("Hi")));
    const [day] = await owner()`select cost::float, held_cost::float from model_days`;
    expect(day!.cost).toBeLessThanOrEqual(20_000);
    expect(day!.cost).toBeGreaterThan(10_000);
    expect(day!.held_cost).toBe(0);
    expect((await handoffs(owner())).length).toBeGreaterThan(5);
  });

  test("believe no nonsense about usage", async () => {
    const hub = shopWith();
    for (const said of [
      undefined,
      null,
      { prompt_tokens: -5, completion_tokens: 1 },
      { prompt_tokens: "many" },
      { ...USAGE, prompt_tokens: 1e300 },
    ]) {
      model.think(() => (r) => json(r, { choices: [{ message: { content: "Hello" } }], usage: said }));
      expect(await (await hub.visitor()).say("Hi")).toEqual(["Hello"]);
    }
    for (const { input_tokens, output_tokens } of (await usage()) as any[]) {
      expect(input_tokens).toBeGreaterThan(500);
      expect(input_tokens).toBeLessThan(3_000);
      expect(output_tokens).toBeGreaterThan(0);
    }
  });

  test("of customers who become one are added up, exported, erased with them, and deleted after 90 days", async () => {
    const hub = shopWith();
    const [one, two] = [await hub.visitor({ customer_id: "a" }), await hub.visitor({ customer_id: "b" })];
    await one.say("Hi");
    await two.say("Hi");
    expect(await usage()).toHaveLength(2);
    const merged = await hub.request("/api/customers/b/merge", {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "admin-key" },
      body: JSON.stringify({ into: "a", give_up: ["customer_id"] }),
    });
    expect(merged.status).toBe(200);
    expect(await usage()).toEqual([{ turns: 2, input_tokens: 200, output_tokens: 40, held_tokens: 0 }]);
    const exported = await hub.request("/api/customers/a/export", { headers: { "x-api-key": "admin-key" } });
    expect(((await exported.json()) as any).model_usage).toEqual([
      { day: hub.clock.now.toISOString().slice(0, 10), turns: 2, input_tokens: 200, output_tokens: 40 },
    ]);
    const purge = (days: number) => {
      const now = new Date(hub.clock.now.getTime() + days * 86_400_000);
      return hub.hub.store.housekeeping.purge(new Date(0), 100, { now });
    };
    await purge(90);
    expect(await usage()).toHaveLength(1);
    await hub.request("/api/customers/a", { method: "DELETE", headers: { "x-api-key": "admin-key" } });
    expect(await usage()).toEqual([]);
    await (await hub.visitor()).say("Hi");
    await purge(91);
    expect(await usage()).toEqual([]);
    expect(await owner()`select turns::int from model_days`).toMatchObject([{ turns: 3 }]);
  });
});

describe("a long conversation", () => {
  test("is summarised once in a while, within the budget, and the summary takes the place of what it covers", async () => {
    const hub = shopWith({ LLM_TURN_TOKENS: "6000", LLM_ANSWER_TOKENS: "100" });
    const anna = await hub.visitor(ANNA);
    let summaries = 0;
    model.think(({ body }) =>
      body.tools
        ? "Of course."
        : `Summary ${++summaries}: ${/first words/.test(body.messages[1]!.content!) ? "the first words" : "more"}`,
    );
    await anna.say("My first words: the tea was cold.");
    for (let i = 0; i < 24; i++) await anna.say(`Message ${i}: ${"many words about tea ".repeat(8)}`);
    expect(summaries).toBeGreaterThan(1);
    expect(summaries).toBeLessThan(8);
    const [session] = await hub.hub.store.sessions.find({ session_id: anna.id }, hub.clock.now);
    expect(session!.summary).toMatch(/^Summary \d/);
    expect(session).not.toHaveProperty("summary_seq");
    const asked = model.asked.filter(({ body }) => body.tools).at(-1)!;
    expect(asked.body.messages[1]!.content).toMatch(
      /^\[Summary of the conversation so far, as data\]\nSummary \d/,
    );
    // None of the summary's words is in the system prompt.
    expect(system(asked)).not.toContain("Summary");
    for (const { body } of model.asked) expect(JSON.stringify(body.messages).length).toBeLessThan(12_000);
    // Every message was in the prompt or in a summary's input before it was left out.
    const inputs = model.asked
      .filter(({ body }) => !body.tools)
      .map(({ body }) => body.messages[1]!.content)
      .join("\n");
    const shown = JSON.stringify(asked.body.messages);
    for (let i = 0; i < 24; i++) expect(inputs + shown).toContain(`Message ${i}:`);
  });

  test("goes on if the summary fails", async () => {
    const hub = shopWith({ LLM_TURN_TOKENS: "6000", LLM_ANSWER_TOKENS: "100" });
    const anna = await hub.visitor(ANNA);
    model.think(({ body }) => (body.tools ? "Yes." : (r) => json(r, {}, 500)));
    for (let i = 0; i < 14; i++)
      expect(await anna.say(`${i} ${"words of tea ".repeat(30)}`)).toEqual(["Yes."]);
    expect(hub.events("llm.not_summarised").length).toBeGreaterThan(0);
  });

  test("with one huge message is cut to the budget", async () => {
    const hub = shopWith();
    await (await hub.visitor(ANNA)).say("नमस्ते ".repeat(2_300));
    const [asked] = model.asked as [Asked];
    expect(asked.body.messages[1]!.content!.length).toBeLessThan(8_000);
    expect(asked.body.messages[1]!.content).toMatch(/ \[…\]$/);
  });
});
