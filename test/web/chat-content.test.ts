import { randomBytes } from "node:crypto";
import type { CDPSession } from "playwright-core";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { violations } from "../support/accessibility.ts";
import { PNG } from "../support/pictures.ts";
import { type Emulated, startEmulated } from "./emulated.ts";
import { type ChatShop, chatOf, soon, startChatShop } from "./shop-page.ts";

const admin = { "x-api-key": "admin-key" };
const picture = { name: "chair.png", mimeType: "image/png", buffer: PNG };
const MB = 1024 * 1024;
let emulated: Emulated;
let shop: ChatShop;
let sql: postgres.Sql;
beforeAll(async () => {
  emulated = await startEmulated();
  const MEDIA_LINK_SECRET = "a secret for links that is long enough";
  shop = await startChatShop({ ...emulated.vars, MEDIA_LINK_SECRET }, emulated.port);
  sql = postgres(shop.databaseUrl, { max: 1 });
});
afterAll(async () => {
  await sql?.end();
  await shop?.stop();
  await emulated?.stop();
});

type Chat = ReturnType<typeof chatOf>;

/** Opens the chat, says a text, and waits for its answer. */
async function begin(text: string, attributes: Record<string, string> = {}) {
  const opened = await shop.visit(attributes);
  const chat = chatOf(opened.page);
  await chat.open();
  await chat.say(text);
  await soon(async () => (await chat.texts()).length).toBe(2);
  const [row] = await sql`select session_id from messages where text = ${text} and role = 'user'`;
  return { ...opened, chat, session: row!.session_id as string };
}

const input = ({ window }: Chat) => window.locator("input[type=file]");
/** Whether the pictures of the messages are drawn, in their order. */
const drawn = ({ window }: Chat) =>
  window
    .page()
    .evaluate(
      `[...document.querySelector("session-hub-chat").shadowRoot.querySelectorAll("img.k-image")].map((one) => one.complete && one.naturalWidth > 0)`,
    );

async function call(method: string, path: string, body?: object): Promise<any> {
  const answer = await fetch(shop.url + path, {
    method,
    headers: { ...admin, ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

describe("a visitor's files", () => {
  test("go out from a page under a strict policy, and are there after a reload", async () => {
    const { page, chat, session, complaints, foreign } = await begin("Files");
    await input(chat).setInputFiles([
      picture,
      { name: "list.txt", mimeType: "text/plain", buffer: Buffer.from("One chair") },
    ]);
    await soon(
      async () =>
        await sql`select kind, content -> 'media' ->> 'file_name' as name from messages
          where session_id = ${session} and direction = 'inbound' order by seq offset 1`,
    ).toEqual([
      { kind: "image", name: "chair.png" },
      { kind: "document", name: "list.txt" },
    ]);
    await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(0);
    await soon(() => drawn(chat)).toEqual([true]);
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await soon(() => drawn(chat)).toEqual([true]);
    const [saved] = await Promise.all([
      page.waitForEvent("download"),
      chat.window.getByRole("button", { name: "list.txt" }).click(),
    ]);
    expect(saved.suggestedFilename()).toBe("list.txt");
    expect([...complaints, ...foreign]).toEqual([]);
  });

  test("are read with the token where the link has ended", async () => {
    const { page, chat } = await begin("An old link");
    await input(chat).setInputFiles(picture);
    await soon(() => drawn(chat)).toEqual([true]);
    await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(0);
    await page.route(/\/api\/media\/.*signature/, (route) => route.fulfill({ status: 401 }));
    await page.reload();
    await soon(() => drawn(chat)).toEqual([true]);
    expect(await chat.window.locator("img.k-image").getAttribute("src")).toMatch(/^blob:/);
  });

  test("that are too large or of a wrong type are refused in words, and can be removed", async () => {
    const { page, chat } = await begin("Wrong files");
    await input(chat).setInputFiles({
      name: "film.mp4",
      mimeType: "video/mp4",
      buffer: Buffer.alloc(16 * MB + 1),
    });
    await chat.window.getByText("Larger than 16 MB").waitFor();
    await input(chat).setInputFiles({
      name: "page.html",
      mimeType: "text/html",
      buffer: Buffer.from("<!doctype html><script>alert(1)</script>"),
    });
    await chat.window.getByText("Files of this type are not taken").waitFor();
    expect(await violations(page)).toEqual([]);
    for (let left = 2; left > 0; left--) {
      await chat.window.getByRole("button", { name: "Remove" }).first().click();
      await soon(() => chat.window.getByRole("button", { name: "Remove" }).count()).toBe(left - 1);
    }
    await chat.say("And on");
    await soon(async () => (await chat.texts()).length).toBe(4);
  });

  test("that are chosen without a line wait, survive a reload, show their way, and go out once", async () => {
    const { page, context, chat, session } = await begin("Slow line");
    await context.route(`${shop.url}/api/media?*`, (route) => route.abort());
    const buffer = Buffer.concat([
      Buffer.from("A long text. "),
      Buffer.from(randomBytes(MB).toString("hex")),
    ]);
    await input(chat).setInputFiles([picture, { name: "long.txt", mimeType: "text/plain", buffer }]);
    await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(2);
    await page.reload();
    await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(2);
    const other = await context.newPage();
    await other.goto(shop.page);
    await chatOf(other).button.hover();
    await page.evaluate(`(() => {
      window.parts = [];
      const root = document.querySelector("session-hub-chat").shadowRoot;
      new MutationObserver(() => { for (const one of root.querySelectorAll("progress")) parts.push(one.value); })
        .observe(root, { subtree: true, childList: true, attributes: true });
    })()`);
    await context.unroute(`${shop.url}/api/media?*`);
    const client = await context.newCDPSession(page);
    await client.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: 2 * MB,
    });
    const files = () =>
      sql`select kind from messages where session_id = ${session} and kind in ('image', 'document') order by seq`;
    await soon(async () => (await files()).length).toBe(2);
    await soon(() => chat.window.locator("[data-status=waiting]").count()).toBe(0);
    expect(await files()).toHaveLength(2);
    const [uploads] = await sql`select count(*)::int as count from uploads where session_id = ${session}`;
    expect(uploads!.count).toBeGreaterThanOrEqual(2);
    expect(await page.evaluate("parts.some((part) => part > 0 && part < 1)")).toBe(true);
  });

  test("may be voice messages, which are recorded here", async () => {
    const { page, chat, session } = await begin("Voice");
    // The machine has no microphone: a tone stands for the visitor.
    await page.evaluate(`navigator.mediaDevices.getUserMedia = async () => {
      const context = new AudioContext();
      const tone = context.createOscillator();
      const microphone = context.createMediaStreamDestination();
      tone.connect(microphone);
      tone.start();
      return microphone.stream;
    }`);
    await chat.window.getByRole("button", { name: "Record a voice message" }).click();
    await soon(() => chat.window.getByRole("timer").textContent()).toBe("0:01");
    await chat.window.getByRole("button", { name: "Send voice message" }).click();
    await soon(
      async () =>
        await sql`select content ->> 'voice' as voice, content -> 'media' ->> 'mime_type' as type from messages
          where session_id = ${session} and kind = 'audio'`,
    ).toEqual([{ voice: "true", type: "audio/webm" }]);
    await soon(() => chat.window.locator("audio").count()).toBe(1);
  });
});

describe("what the shop says", () => {
  test("is shown with its files, edits, reactions and deletions as they happen", async () => {
    const { page, chat, session, complaints } = await begin("What do you have?");
    const { upload } = (await (
      await fetch(`${shop.url}/api/media?name=menu.png`, { method: "POST", headers: admin, body: PNG })
    ).json()) as any;
    const said = await call("POST", "/api/messages", {
      to: { session_id: session },
      channel: "web",
      content: { kind: "image", media: { upload: upload.upload }, caption: "Our menu" },
      purpose: "service",
      idempotency_key: "menu",
    });
    await soon(() => drawn(chat)).toEqual([true]);
    await soon(async () => (await chat.texts()).at(-1)).toBe("Our menu");
    const { message_id: answer } = (
      await sql`select message_id from messages where session_id = ${session} and role = 'assistant' order by seq limit 1`
    )[0]!;
    await call("PATCH", `/api/messages/${answer}`, { text: "Bread, until six" });
    await soon(async () => (await chat.texts())[1]).toBe("Bread, until six");
    await chat.window.getByText("edited").waitFor();
    const { message_id: question } = (
      await sql`select message_id from messages where session_id = ${session} and role = 'user' order by seq limit 1`
    )[0]!;
    await call("PUT", `/api/messages/${question}/reaction`, { emoji: "❤️" });
    await soon(() => chat.window.locator(".k-reactions").allTextContents()).toEqual(["❤️"]);
    await call("DELETE", `/api/messages/${said.message_id}`);
    await chat.window.getByText("This message was deleted").waitFor();
    expect(await drawn(chat)).toEqual([]);
    await page.reload();
    await chat.window.getByText("This message was deleted").waitFor();
    expect(await chat.window.locator(".k-reactions").allTextContents()).toEqual(["❤️"]);
    expect(complaints).toEqual([]);
  });

  test("can be reacted to, and the reaction taken back", async () => {
    const { page, chat, session } = await begin("React to this");
    await chat.window.getByRole("button", { name: "React" }).click();
    await chat.window.getByRole("button", { name: "👍" }).click();
    await soon(() => chat.window.locator(".k-reactions").allTextContents()).toEqual(["👍"]);
    expect(await violations(page)).toEqual([]);
    await page.reload();
    await soon(() => chat.window.locator(".k-reactions").allTextContents()).toEqual(["👍"]);
    await chat.window.getByRole("button", { name: "React" }).click();
    await chat.window.getByRole("button", { name: "👍" }).click();
    await soon(() => chat.window.locator(".k-reactions").count()).toBe(0);
    const rows = await sql`select content ->> 'emoji' as emoji from messages
      where session_id = ${session} and kind = 'reaction' order by seq`;
    expect(rows).toEqual([{ emoji: "👍" }, { emoji: null }]);
  });

  test("grows as it is written, and is read aloud once", async () => {
    const { page, chat } = await begin("Slowly");
    await page.evaluate(`(() => {
      window.grown = [];
      const root = document.querySelector("session-hub-chat").shadowRoot;
      new MutationObserver(() => {
        const draft = root.querySelector(".k-draft");
        if (draft) grown.push([draft.textContent.length, draft.getAttribute("aria-live")]);
      }).observe(root, { subtree: true, childList: true, characterData: true });
    })()`);
    await chat.say("/demo");
    await soon(() => chat.window.getByText("Ana, your order is ready").count()).toBe(1);
    const grown = (await page.evaluate("grown")) as [number, string][];
    const lengths = grown.map(([length]) => length);
    expect(new Set(lengths).size).toBeGreaterThan(1);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(new Set(grown.map(([, live]) => live))).toEqual(new Set(["off"]));
    expect(await chat.window.locator(".k-draft").count()).toBe(0);
  });

  test("makes no sound unless the visitor turns it on", async () => {
    const { page, chat, session } = await begin("Silence, please");
    const say = (text: string) =>
      call("POST", "/session/update", {
        session_id: session,
        channel: "web",
        message: { role: "assistant", external_id: text, text },
      });
    await page.evaluate(`(() => {
      window.sounds = 0;
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (...given) { sounds++; return start.apply(this, given); };
    })()`);
    await say("Quiet news");
    await soon(async () => (await chat.texts()).at(-1)).toBe("Quiet news");
    expect(await page.evaluate("sounds")).toBe(0);
    await chat.window.getByRole("button", { name: "Turn sound on" }).click();
    await say("Loud news");
    await soon(() => page.evaluate("sounds > 0")).toBe(true);
  });
});

test.for([
  ["telegram", "Telegram"],
  ["whatsapp", "WhatsApp"],
] as const)(
  "it goes on in %s by the link in the header, and comes back with the whole history",
  async ([name, title]) => {
    const first = `Before ${title}`;
    const { page, chat } = await begin(first);
    await chat.window.getByRole("button", { name: "Continue on your phone" }).click();
    await chat.window.getByRole("img", { name: `QR code for ${title}` }).waitFor();
    const href = await chat.window.getByRole("link", { name: `Open ${title}` }).getAttribute("href");
    const link = new URL(href!).searchParams.get(name === "telegram" ? "start" : "text")!;
    const write = (text: string) =>
      name === "telegram"
        ? emulated.act(emulated.telegram, "message", {
            chat: { id: 4711, type: "private" },
            from: { id: 4711, first_name: "Ana" },
            text,
          })
        : emulated.act(emulated.whatsapp, "message", { from: "4915114000777", name: "Ana", text });
    await write(name === "telegram" ? `/start ${link}` : link);
    await write(`From ${title}`);
    await chat.window
      .getByRole("button", { name: "Cancel" })
      .click()
      .catch(() => {});
    await soon(chat.texts).toContain(`From ${title}`);
    await soon(async () => (await emulated.sent(emulated[name])).join()).toContain(`From ${title}`);
    await chat.say("Back on the page");
    await soon(async () => (await chat.texts()).filter((text) => /Back on the page/.test(text)).length).toBe(
      2,
    );
    await page.reload();
    await soon(chat.texts).toEqual(expect.arrayContaining([first, `From ${title}`, "Back on the page"]));
    const texts = await chat.texts();
    expect(texts.indexOf(first)).toBeLessThan(texts.indexOf(`From ${title}`));
    expect(texts.indexOf(`From ${title}`)).toBeLessThan(texts.indexOf("Back on the page"));
    const rows =
      await sql`select distinct session_id from messages where text in (${first}, ${`From ${title}`}, 'Back on the page')
    and role = 'user' and session_id = (select session_id from messages where text = ${first} and role = 'user')`;
    expect(rows).toHaveLength(1);
  },
);

/** An hour in which somebody writes each second. */
const MESSAGES = 3_600;
const THIRD = MESSAGES / 3;
/** What the chat may grow by from the first third of the hour to its end, in bytes: the ids of what it has shown already. */
const MOST_GROWTH = 700_000;

async function sizeOf(session: CDPSession): Promise<{ heap: number; nodes: number; listeners: number }> {
  for (let i = 0; i < 2; i++) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes, jsEventListeners } = await session.send("Memory.getDOMCounters");
  return { heap: usedSize, nodes, listeners: jsEventListeners };
}

test("the memory of an open chat is steady over an hour of messages, drafts, ticks and broken lines", async () => {
  const { page, complaints } = await shop.visit();
  await page.addInitScript(`
    window.WebSocket = class extends WebSocket {
      constructor(...given) { super(...given); window.line = this; }
    };
    // The frames of a busy hour, given to the open connection within seconds. Everything else is the hub's own.
    window.play = async (first, from, to) => {
      for (let i = from; i < to; i++) {
        const message_id = "00000000-0000-7000-8000-" + String(i).padStart(12, "0");
        const text = "Message " + i + " of an hour".repeat(20);
        const message = { ...first, message_id, seq: first.seq + i + 1, text, content: { kind: "text", text } };
        const draft = { type: "draft", reply_to: message_id, channel: "web", at: 0, text: "So far" };
        for (const frame of [
          { type: "typing", channel: "web" },
          draft,
          { ...draft, text: "" },
          { type: "message", message, cursor: String(message.seq) },
          { type: "status", message_id, status: "delivered" },
          { type: "changed", message: { ...message, edited_at: i % 5 ? null : message.created_at } },
        ]) line.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(frame) }));
        if (i % 20 === 0) await new Promise(requestAnimationFrame);
      }
    };
  `);
  await page.reload();
  const chat = chatOf(page);
  await chat.open();
  await chat.say("The hour begins");
  await soon(async () => (await chat.texts()).length).toBe(2);
  const first = await page.evaluate(`(async () => {
    const { token } = JSON.parse(localStorage.getItem("${shop.url} device"));
    const answer = await fetch("${shop.url}/session/messages?after=0", { headers: { authorization: "Bearer " + token } });
    return JSON.stringify((await answer.json()).messages[1]);
  })()`);

  const play = async (from: number, to: number) => {
    await page.evaluate(`play(${first}, ${from}, ${to})`);
    await soon(async () => (await chat.texts()).at(-1)).toMatch(new RegExp(`^Message ${to - 1} `));
    // The line breaks, and comes back.
    await page.evaluate("window.broken = line; line.close()");
    await soon(() => page.evaluate("line !== broken && line.readyState")).toBe(1);
    await soon(() => chat.status.textContent()).toBe("");
    await chat.button.click();
    await chat.button.click();
    await chat.window.waitFor();
  };

  const session = await page.context().newCDPSession(page);
  const sizes = [await sizeOf(session)];
  for (let i = 0; i < MESSAGES; i += THIRD) {
    await play(i, i + THIRD);
    sizes.push(await sizeOf(session));
  }
  console.log(
    sizes
      .map(
        ({ heap, nodes, listeners }) =>
          `${(heap / 1e6).toFixed(2)} MB, ${nodes} nodes, ${listeners} listeners`,
      )
      .join("; "),
  );
  const [, begin, middle, end] = sizes as [never, ...{ heap: number; nodes: number; listeners: number }[]];
  expect(await chat.texts()).toHaveLength(500);
  for (const later of [middle!, end!]) {
    expect(later.heap - begin!.heap).toBeLessThan(MOST_GROWTH);
    expect(later.nodes).toBeLessThan(begin!.nodes * 1.05);
    expect(later.listeners).toBeLessThan(begin!.listeners * 1.05);
  }
  expect(complaints).toEqual([]);
}, 60_000);
