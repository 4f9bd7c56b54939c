import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { person, Stopped } from "../../scripts/setup/ask.ts";
import { memoryIn } from "../../scripts/setup/memory.ts";
import { walk } from "../../scripts/setup/walk.ts";
import { programs } from "../../scripts/setup/wrangler.ts";
import { type ShopFront, startShopFront } from "../support/shop-front.ts";

const now = () => new Date();
/** What the walk needs from its surroundings: where things are, and no key. */
const surroundings = ({ env }: ShopFront) => ({
  HUB_URL: env.HUB_URL,
  TELEGRAM_API_ROOT: env.TELEGRAM_API_ROOT,
  WHATSAPP_API_ROOT: env.WHATSAPP_API_ROOT,
});

/** A terminal with somebody at it who answers each question once it is shown, by the texts in it. */
function terminal(answers: readonly (readonly [question: string, keys: string])[]) {
  const input = new PassThrough();
  const output = new PassThrough();
  const left = [...answers];
  let shown = "";
  let from = 0;
  output.setEncoding("utf8").on("data", (text: string) => {
    shown += stripVTControlCharacters(text);
    const [next] = left;
    if (!next) return;
    const at = shown.indexOf(next[0], from);
    if (at < 0) return;
    left.shift();
    from = at + next[0].length;
    setTimeout(() => {
      for (const key of next[1]) input.write(key);
    }, 50);
  });
  return { asker: person({ input, output }), shown: () => shown, left };
}

test("a person gives each key once, a wrong one again, and sees no secret", async () => {
  const shop = await startShopFront();
  const { env } = shop;
  const { asker, shown, left } = terminal([
    ["connection string", `${env.DATABASE_URL}\r`],
    ["project URL", `${env.SUPABASE_URL}\r`],
    ["secret key", "sb_secret_mistyped-key\r"],
    ["Give the keys again?", "\r"],
    ["project URL", "\r"], // as before
    ["secret key", `${env.SUPABASE_SERVICE_ROLE_KEY}\r`],
    ["Take files from customers", "n"],
    ["Shall people answer", "n"],
    ["Keep messages in Upstash", "n"],
    ["Connect a Telegram bot?", "y"],
    ["The bot's token", `${env.TELEGRAM_BOT_TOKEN}\r`],
    ["Connect a WhatsApp number", "n"],
    ["Who answers?", "\r"],
  ]);
  const memory = await memoryIn(shop.dir);
  const report = await walk({ env: surroundings(shop), asker, memory, run: programs(env), now });
  expect(report.steps.filter(({ state }) => state === "fail")).toEqual([]);
  expect([report.ok, left]).toEqual([true, []]);
  for (const text of [
    "it does not take the key",
    "the bot is @hub_bot",
    "By hand, in this order",
    `Live at ${shop.hubUrl}`,
  ])
    expect(shown()).toContain(text);
  for (const secret of [...shop.secrets, ...Object.values(memory.keys), "sb_secret_mistyped-key"])
    expect(shown()).not.toContain(secret);
});

test("a walk that is stopped goes on where it was", async () => {
  const shop = await startShopFront();
  const { env } = shop;
  const first = terminal([
    ["connection string", `${env.DATABASE_URL}\r`],
    ["project URL", `${env.SUPABASE_URL}\r`],
    ["secret key", "\u0003"],
  ]);
  const stopped = walk({
    env: surroundings(shop),
    asker: first.asker,
    memory: await memoryIn(shop.dir),
    run: programs(env),
    now,
  });
  await expect(stopped).rejects.toThrow(Stopped);
  const second = terminal([
    ["secret key", `${env.SUPABASE_SERVICE_ROLE_KEY}\r`],
    ["Take files from customers", "n"],
    ["Shall people answer", "n"],
    ["Keep messages in Upstash", "n"],
    ["Connect a Telegram bot?", "n"],
    ["Connect a WhatsApp number", "n"],
    ["Who answers?", "\r"],
  ]);
  const memory = await memoryIn(shop.dir);
  const report = await walk({
    env: surroundings(shop),
    asker: second.asker,
    memory,
    run: programs(env),
    now,
  });
  expect([report.ok, second.left]).toEqual([true, []]);
  expect(second.shown()).toContain("database: done before");
  for (const question of ["connection string", "project URL"]) expect(second.shown()).not.toContain(question);
});
