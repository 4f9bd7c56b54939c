import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Act } from "../../dev/simulator/act.ts";
import type { Wire } from "../../dev/simulator/model.ts";
import { type Scenario, scenarioSchema } from "../../dev/simulator/scenario.ts";
import { type SimulatedStack, startSimulatedStack } from "../support/simulator.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = join(root, "test/scenarios");
const files = await readdir(folder);
const read = async (file: string) => scenarioSchema.parse(JSON.parse(await readFile(file, "utf8")));

let stack: SimulatedStack;
beforeAll(async () => {
  stack = await startSimulatedStack();
}, 240_000);
afterAll(() => stack?.stop(), 60_000);
afterEach(async () => {
  const someone = await stack.person();
  await someone.act({ do: "disarm" });
  await someone.act({ do: "deliver", copies: 1, delay_ms: 0, shuffle: false });
});

describe("scenarios", () => {
  test.each(files)("%s replays", { timeout: 180_000 }, async (file) => {
    expect(await stack.play(await read(join(folder, file)))).toMatchObject({ ended: true });
    expect(await stack.play(await read(join(folder, file)))).not.toHaveProperty("failure");
  });

  test("one that was recorded by clicking is a file that replays", async () => {
    const ana = await stack.person();
    await stack.call("record", { person: ana.person.id, name: "by-hand", title: "By hand" });
    await ana.act({ do: "write", device: "telegram", text: "Hello" });
    await ana.answers("telegram", 1);
    await ana.act({
      do: "react",
      device: "telegram",
      message: (await ana.bubbles("telegram"))[1]!.id,
      emoji: "👍",
    });
    await ana.act({ do: "write", device: "whatsapp", text: "My number is {phone}" });
    await ana.answers("whatsapp", 1);
    await ana.act({ do: "contact", device: "telegram", own: true });
    await ana.answers("telegram", 2);
    const { file } = await stack.call<{ file: string }>("record/end", {});
    const scenario = await read(file);
    expect(file).toBe(join(stack.scenarios, "by-hand.json"));
    expect(JSON.stringify(scenario)).not.toContain(ana.person.phone.slice(1));
    expect(scenario.steps.map(({ act }) => act.do)).toEqual(["write", "react", "write", "contact"]);
    expect(scenario.steps[1]!.act).toMatchObject({ message: { by: "hub", back: 0 } });
    expect(scenario.steps[3]!.shows).toHaveLength(1);
    expect(scenario.ends!.sessions.map(({ status }) => status).sort()).toEqual(["active", "merged"]);
    expect(await stack.play(scenario)).not.toHaveProperty("failure");
    const { title } = await stack.call<Scenario>("scenarios/by-hand");
    expect(title).toBe("By hand");
  }, 120_000);

  test("one whose devices show something else fails, and says what", async () => {
    const shows = [{ device: "telegram" as const, kind: "text", text: "Something else" }];
    const act: Act = { do: "write", device: "telegram", text: "Hi" };
    const { failure } = await stack.play({ name: "wrong", title: "Wrong", steps: [{ act, shows }] });
    expect(failure).toMatch(/^step 1 \(write\): a device shows .*You said .*, which was not recorded$/);
  });

  test("is refused with a name that is a path", async () => {
    const { person } = await stack.person();
    await expect(stack.call("record", { person: person.id, name: "../x", title: "X" })).rejects.toThrow(
      "small letters",
    );
    await expect(stack.call("scenarios/..%2f..%2fpackage")).rejects.toThrow();
  });
});

test("each device shows what it can send, and gets an answer", async () => {
  const ana = await stack.person();
  await ana.act({ do: "open", device: "web", as: "customer" });
  await ana.act({ do: "open", device: "kiosk", as: "customer" });
  for (const device of ["telegram", "whatsapp", "web", "kiosk"] as const) {
    await ana.act({ do: "write", device, text: "Hi" });
    await ana.answers(device, 1);
    const acts: Act[] = [
      { do: "media", device, kind: "image", caption: "Look" },
      { do: "media", device, kind: "voice" },
      { do: "media", device, kind: "document" },
      { do: "contact", device, own: false },
      { do: "location", device },
    ];
    for (const [i, act] of acts.entries()) {
      await ana.act(act);
      await ana.answers(device, i + 2);
    }
    const own = (await ana.bubbles(device)).filter(({ by, from }) => by === "customer" && !from);
    expect(own.map(({ kind }) => kind)).toEqual([
      "text",
      "image",
      "voice",
      "document",
      "contact",
      "location",
    ]);
    await expect.poll(async () => (await ana.bubbles(device))[0]!.tick).toMatch(/delivered|read/);
  }
}, 120_000);

test("edits, reactions, taps, a block and another number reach the hub as their platform tells them", async () => {
  const ana = await stack.person();
  await ana.act({ do: "write", device: "whatsapp", text: "/demo" });
  await expect
    .poll(async () => (await ana.bubbles("whatsapp")).some(({ kind }) => kind === "template"), {
      timeout: 30_000,
    })
    .toBe(true);
  await ana.act({ do: "tap", device: "whatsapp", title: "Coffee" });
  await ana.act({ do: "tap", device: "whatsapp", title: "Lemonade" });
  await ana.act({ do: "edit", device: "whatsapp", message: { by: "customer", back: 2 }, text: "/help" });
  await ana.act({ do: "number", device: "whatsapp", phone: "+5511900000001" });
  await ana.act({ do: "write", device: "telegram", text: "Hi" });
  await ana.answers("telegram", 1);
  await ana.act({ do: "block", device: "telegram" });
  const { inside, screens, person } = await ana.snapshot();
  expect(person.whatsapp).toBe("5511900000001");
  expect(screens[0]!.blocked).toBe(true);
  expect(screens[1]!.bubbles[0]).toMatchObject({ text: "/help", edited: true });
  const kinds = inside.messages.map(({ kind, text }) => `${kind} ${text}`);
  expect(kinds).toEqual(expect.arrayContaining(["interaction Coffee", "interaction Lemonade", "text /help"]));
  await ana.act({ do: "unblock", device: "telegram" });
  await expect(ana.act({ do: "tap", device: "telegram", title: "Nothing" })).rejects.toThrow(
    'no "Nothing" to tap',
  );
}, 120_000);

test("a draft grows and goes when the answer comes, and a pinned message is marked", async () => {
  const ana = await stack.person();
  await ana.act({ do: "write", device: "telegram", text: "Hi" });
  await ana.answers("telegram", 1);
  const call = (method: string, params: object) =>
    fetch(`${stack.botApi}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ chat_id: ana.person.telegram, ...params }),
    });
  await call("sendMessageDraft", { draft_id: 1, text: "An" });
  await call("sendMessageDraft", { draft_id: 1, text: "An answer" });
  expect((await ana.bubbles("telegram")).slice(2)).toMatchObject([{ kind: "draft", text: "An answer" }]);
  await call("sendMessage", { text: "An answer, whole" });
  const [last, ...more] = (await ana.bubbles("telegram")).slice(2);
  expect([last, more]).toMatchObject([{ kind: "text", text: "An answer, whole" }, []]);
  await call("pinChatMessage", { message_id: Number(last!.id) });
  expect((await ana.bubbles("telegram")).at(-1)).toMatchObject({ pinned: true });
});

describe("the wire", () => {
  test("holds each webhook with its answer, each call, and the log lines of both", async () => {
    const ana = await stack.person();
    await ana.act({ do: "write", device: "telegram", text: "On the wire" });
    await ana.answers("telegram", 1);
    const { wire, logs } = await ana.snapshot();
    const webhook = wire.findLast(({ body }) => body.includes("On the wire"))!;
    expect(webhook).toMatchObject({ device: "telegram", kind: expect.any(String) });
    const sent = wire.find(
      ({ kind, path, body }) =>
        kind === "call" && path.endsWith("/sendMessage") && body.includes(String(ana.person.telegram)),
    )!;
    expect(sent).toMatchObject({ status: 200, path: "/bot<token>/sendMessage" });
    const asked = wire.find(({ kind, body }) => kind === "webhook" && body.includes("On the wire"))!;
    expect(asked.headers).toHaveProperty("x-telegram-bot-api-secret-token");
    await expect
      .poll(async () => {
        const { logs } = await ana.snapshot();
        return logs.filter(({ request_id }) => request_id === asked.request_id).map(({ event }) => event);
      })
      .toEqual(expect.arrayContaining(["request", "turn"]));
    expect(JSON.stringify(logs)).not.toContain("On the wire");
  });

  test("a webhook that is replayed, duplicated, shuffled and late is stored and answered once", async () => {
    const ana = await stack.person();
    await ana.act({ do: "deliver", copies: 3, delay_ms: 50, shuffle: true });
    for (const text of ["one", "two", "three"]) await ana.act({ do: "write", device: "whatsapp", text });
    await ana.answers("whatsapp", 3);
    await ana.act({ do: "redeliver", device: "whatsapp" });
    const { n } = (await ana.snapshot()).wire.find(({ body }: Wire) => body.includes('"two"'))!;
    await stack.call(`wire/${n}/replay`, {});
    const { inside } = await ana.snapshot();
    expect(inside.messages.filter(({ direction }) => direction === "inbound")).toHaveLength(3);
    expect(await ana.answers("whatsapp", 3)).toHaveLength(3);
  });
});

describe("faults", () => {
  const arm = (rule: Extract<Act, { do: "arm" }>["rule"]): Act => ({ do: "arm", rule });

  test.each([
    ["429", "telegram"],
    ["500", "whatsapp"],
  ] as const)("a platform that answers %s to the next call gets the reply later", async (effect, target) => {
    const ana = await stack.person();
    await ana.act(arm({ target, effect, when: { next: 1 } }));
    expect((await ana.snapshot()).faults).toMatchObject([{ target, effect, left: 1 }]);
    await ana.act({ do: "write", device: target, text: "Hi" });
    await expect.poll(async () => (await ana.snapshot()).faults).toEqual([]);
    const { wire } = await ana.snapshot();
    const refused = wire.findLast(({ device, status }) => device === target && status === Number(effect))!;
    if (effect === "429")
      expect(JSON.parse(refused.answer!)).toMatchObject({ parameters: { retry_after: 2 } });
    await ana.act({ do: "later", hours: 0.1 });
    await ana.answers(target, 1);
  });

  test("a platform that always fails, and one that is silent, get every reply once they are well", async () => {
    const ana = await stack.person();
    await ana.act(arm({ target: "telegram", effect: "500", when: "always" }));
    await ana.act(arm({ target: "whatsapp", effect: "silent", when: "always" }));
    for (const text of ["one", "two"]) await ana.act({ do: "write", device: "telegram", text });
    await ana.act({ do: "write", device: "whatsapp", text: "three" });
    const failures = async () =>
      (await ana.snapshot()).wire.filter(
        ({ path, status, body }) =>
          path.endsWith("/sendMessage") && status === 500 && body.includes(String(ana.person.telegram)),
      );
    await expect.poll(async () => (await failures()).length).toBeGreaterThanOrEqual(1);
    expect((await ana.snapshot()).faults).toHaveLength(2);
    expect((await ana.bubbles("telegram")).filter(({ by }) => by === "hub")).toEqual([]);
    expect((await ana.bubbles("whatsapp")).filter(({ by }) => by === "hub")).toEqual([]);
    await ana.act({ do: "disarm" });
    await ana.act({ do: "later", hours: 0.1 });
    await ana.answers("whatsapp", 1);
    expect(await ana.answers("telegram", 2)).toHaveLength(2);
  }, 60_000);

  test("a bot that is slow is given up and asked again; one that fails every second time answers the first", async () => {
    const [ana, bea] = [await stack.person(), await stack.person()];
    await ana.act(arm({ target: "bot", effect: "slow", when: { next: 1 } }));
    await ana.act({ do: "write", device: "telegram", text: "Slow" });
    await expect.poll(async () => (await ana.snapshot()).faults).toEqual([]);
    expect((await ana.snapshot()).inside.turns).toMatchObject([{ state: "running", attempt: 1 }]);
    await bea.act(arm({ target: "bot", effect: "throws", when: { every: 2 } }));
    await bea.act({ do: "write", device: "telegram", text: "first" });
    await bea.answers("telegram", 1);
    await bea.act({ do: "write", device: "telegram", text: "second" });
    await expect
      .poll(async () => (await bea.snapshot()).inside.turns)
      .toMatchObject([{ attempt: 1, state: "pending" }]);
    await bea.act({ do: "disarm" });
    await bea.act({ do: "later", hours: 0.1 });
    expect(await bea.answers("telegram", 2)).toHaveLength(2);
    await ana.answers("telegram", 1);
  }, 60_000);

  test("a cache that is down delays nobody's answer", async () => {
    const ana = await stack.person();
    await ana.act(arm({ target: "cache", effect: "down", when: "always" }));
    await ana.act({ do: "write", device: "telegram", text: "Hi" });
    await ana.answers("telegram", 1);
    expect((await ana.snapshot()).faults).toMatchObject([{ target: "cache" }]);
  });

  test("a platform that answers 500 after it has sent shows the reply", async () => {
    const ana = await stack.person();
    await ana.act(arm({ target: "telegram", effect: "500-after", when: { every: 2 } }));
    await ana.act({ do: "write", device: "telegram", text: "Hi" });
    await ana.answers("telegram", 1);
    expect((await ana.snapshot()).faults).toMatchObject([{ when: { every: 2 } }]);
  });

  test("a bot that fails once answers at the next attempt", async () => {
    const ana = await stack.person();
    await ana.act(arm({ target: "bot", effect: "throws", when: { next: 1 } }));
    await ana.act({ do: "write", device: "telegram", text: "Hi" });
    await expect.poll(async () => (await ana.snapshot()).faults).toEqual([]);
    await expect.poll(async () => (await ana.snapshot()).inside.turns[0]).toMatchObject({ attempt: 1 });
    await ana.act({ do: "later", hours: 0.1 });
    await ana.answers("telegram", 1);
  });

  test("a message that comes while the database is down is answered when it is back", async () => {
    const ana = await stack.person();
    await ana.act(arm({ target: "database", effect: "down", when: "always" }));
    await ana.act({ do: "write", device: "whatsapp", text: "Anybody there?" });
    expect((await ana.bubbles("whatsapp"))[0]).toMatchObject({ tick: "delivered" });
    await ana.act({ do: "disarm" });
    const sweptBubbles = async () => {
      await ana.act({ do: "sweep" });
      return (await ana.bubbles("whatsapp")).length;
    };
    await expect.poll(sweptBubbles, { timeout: 30_000 }).toBe(2);
  });

  test("a Worker that is killed comes back, and every message is answered once", async () => {
    const ana = await stack.person();
    const writing = Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => ana.act({ do: "write", device: "whatsapp", text: `Message ${i}` })),
    );
    await ana.act({ do: "kill" });
    await writing;
    expect((await ana.snapshot()).worker).toBe("up");
    await ana.act({ do: "later", hours: 0.1 });
    const answers = await ana.answers("whatsapp", 8);
    for (let i = 0; i < 8; i++)
      expect(
        answers.filter((text) => text.includes(`Message ${i}`)),
        `${i}`,
      ).not.toEqual([]);
    const { inside } = await ana.snapshot();
    expect(inside.messages.filter(({ direction }) => direction === "inbound")).toHaveLength(8);
  }, 120_000);
});

test("the clock jumps for the hub and the platforms, and stays ahead when the Worker is killed", async () => {
  const ana = await stack.person();
  await ana.act({ do: "write", device: "telegram", text: "Hi" });
  await ana.answers("telegram", 1);
  await ana.act({ do: "later", hours: 192 });
  await expect
    .poll(async () => (await ana.snapshot()).inside.sessions[0])
    .toMatchObject({ status: "expired" });
  await ana.act({ do: "kill" });
  await ana.act({ do: "write", device: "telegram", text: "Me again" });
  await ana.answers("telegram", 2);
  const { inside, ahead_ms } = await ana.snapshot();
  expect(inside.sessions).toHaveLength(2);
  const created = Date.parse(String(inside.sessions[1]!.created_at));
  expect(Math.abs(created - Date.now() - ahead_ms)).toBeLessThan(60_000);
  expect(ahead_ms).toBeGreaterThanOrEqual(192 * 3_600_000);
}, 120_000);

test("what the page asks for comes through the hub's own address too, and an error names what is wrong", async () => {
  const answer = await fetch(`${stack.hub}/simulator/api/scenarios/nothing`);
  expect([answer.status, await answer.json()]).toEqual([
    ...[400, { error: "there is no scenario nothing", word: "noScenario" }],
  ]);
  const { person } = await stack.person();
  await expect(stack.call(`people/${person.id}/act`, { do: "dance" })).rejects.toThrow("Invalid");
  await expect(
    stack.call(`people/${person.id}/act`, { do: "write", device: "kiosk", text: "Hi" }),
  ).rejects.toThrow(/^open the kiosk first$/);
  const shop = { do: "shop", method: "PATCH", path: "/api/customers/nobody-known", body: { name: "X" } };
  await expect(stack.call(`people/${person.id}/act`, shop)).rejects.toThrow(/^PATCH [^{}_()]+$/);
  await expect(stack.call(`people/${crypto.randomUUID()}/act`, { do: "kill" })).rejects.toThrow(
    "not known any more",
  );
});

test("a deployed Worker has no trace of the simulator", async () => {
  const out = await mkdtemp(join(tmpdir(), "bundle-"));
  const wrangler = join(root, "node_modules/.bin/wrangler");
  await promisify(execFile)(process.execPath, [wrangler, "deploy", "--dry-run", "--outdir", out], {
    cwd: root,
    env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "1" },
  });
  const files = (await readdir(out, { recursive: true })).filter((file) => /\.(js|html|css|map)$/.test(file));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files.filter((name) => !name.endsWith(".map")))
    expect((await readFile(join(out, file), "utf8")).toLowerCase(), file).not.toMatch(/simulator|emulator/);
  const served = await readdir(join(root, "web/dist"), { recursive: true });
  expect(served.filter((file) => /simulator/.test(file))).toEqual([]);
  const headers = await readFile(join(root, "web/dist/_headers"), "utf8");
  expect(headers).toContain("frame-ancestors 'none'");
  expect(headers).toContain("X-Frame-Options: DENY");
  expect(headers).not.toContain("frame-src");
  await rm(out, { recursive: true });
}, 120_000);
