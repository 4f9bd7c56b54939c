import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import { expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { nobody } from "../../scripts/setup/ask.ts";
import { examine } from "../../scripts/setup/examine.ts";
import { memoryIn } from "../../scripts/setup/memory.ts";
import type { Outcome } from "../../scripts/setup/outcome.ts";
import type { Values } from "../../scripts/setup/parts.ts";
import { walk } from "../../scripts/setup/walk.ts";
import { programs, type RunProgram } from "../../scripts/setup/wrangler.ts";
import { PUBLIC_KEY, type ShopFront, startShopFront } from "../support/shop-front.ts";

const now = () => new Date();

/** A hub that setup has brought to life, and the values that doctor has then. */
async function liveShop(): Promise<{ shop: ShopFront; values: Values; run: RunProgram }> {
  const shop = await startShopFront();
  const run = programs(shop.env);
  const memory = await memoryIn(shop.dir);
  const report = await walk({ env: shop.env, asker: nobody(() => {}), memory, run, now });
  expect(report.steps.filter(({ state }) => state === "fail")).toEqual([]);
  return { shop, run, values: { ...memory.state.answers, ...memory.keys, ...shop.env } };
}

const byName = (outcomes: readonly Outcome[]) => Object.fromEntries(outcomes.map((one) => [one.name, one]));

test("npm run doctor finds a live hub well, and each thing that breaks with what mends it", async () => {
  const { shop, values, run } = await liveShop();
  const look = async (over: Values = {}, at = now) => byName(await examine({ ...values, ...over }, run, at));
  await expect.poll(async () => (await look()).cron?.state, { timeout: 20_000 }).toBe("ok");
  const well = await look();
  expect(Object.values(well).filter(({ state }) => state !== "ok")).toEqual([]);
  expect(Object.keys(well)).toEqual(
    expect.arrayContaining([
      "hub",
      "clock",
      "cron",
      "unanswered",
      "unsent",
      "rate limits",
      "database",
      "database clock",
      "migrations",
      "supabase",
      "upstash",
      "telegram webhook",
      "telegram pending",
      "telegram last error",
      "whatsapp token",
      "whatsapp number",
      "whatsapp quality",
      "whatsapp webhook of the account",
      "whatsapp webhook of the app",
      "whatsapp templates",
      "cloudflare",
    ]),
  );

  // Telegram: somebody has set another address, and with fewer kinds of updates.
  const telegram = (method: string, body: object) =>
    shop.tell(shop.telegram, `/bot${shop.env.TELEGRAM_BOT_TOKEN}/${method}`, body);
  await telegram("setWebhook", { url: "http://127.0.0.1:9/elsewhere" });
  expect((await look())["telegram webhook"]).toEqual({
    name: "telegram webhook",
    state: "fail",
    text: `it is set to http://127.0.0.1:9/elsewhere, not to ${shop.hubUrl}/webhooks/telegram`,
    mend: "npm run setup",
  });
  await telegram("setWebhook", {
    url: `${shop.hubUrl}/webhooks/telegram`,
    secret_token: "of-somebody-else",
    allowed_updates: ["message", "callback_query"],
  });
  await shop.tell(shop.telegram, "/_customer/message", { chat: { id: 9 }, text: "Hello" });
  const other = await look();
  expect(other["telegram webhook"]).toMatchObject({
    state: "fail",
    text: expect.stringMatching(/edited_message, .*message_reaction/),
  });
  expect(other["telegram last error"]).toMatchObject({
    state: "warn",
    text: expect.stringMatching(/0 minutes ago: .*401/),
  });

  // WhatsApp: the token ends soon, the number is rated badly, a template is refused, the subscription is gone.
  await shop.tell(shop.whatsapp, "/_settings", {
    quality: "RED",
    tokenExpiresAt: Math.floor(Date.now() / 1_000) + 3 * 86_400 + 60,
  });
  await shop.tell(shop.whatsapp, "/_templates", {
    templates: [
      { name: "order_ready", language: "de", status: "REJECTED" },
      { name: "code", language: "de", status: "PENDING" },
    ],
  });
  await fetch(`${shop.whatsapp.url}/v25.0/${shop.env.WHATSAPP_ACCOUNT_ID}/subscribed_apps`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${shop.env.WHATSAPP_ACCESS_TOKEN}` },
  });
  const bad = await look();
  expect(bad["whatsapp token"]).toMatchObject({
    state: "warn",
    text: expect.stringMatching(/^valid for 3 more days/),
  });
  expect(bad["whatsapp quality"]).toMatchObject({ state: "warn", text: expect.stringMatching(/^rated RED/) });
  expect(bad["whatsapp templates"]).toMatchObject({ state: "warn", text: "order_ready (de) is REJECTED" });
  expect(bad["whatsapp webhook of the account"]).toMatchObject({
    state: "fail",
    text: "the app is not subscribed",
  });
  expect((await look({ WHATSAPP_CODE_TEMPLATE: "code" }))["whatsapp templates"]).toMatchObject({
    state: "fail",
    text: "WHATSAPP_CODE_TEMPLATE code is PENDING",
  });

  // The database: a migration is missing, the functions are old, messages wait, the sweep has stopped.
  const sql = postgres(shop.env.DATABASE_URL!, { max: 1, onnotice: () => {} });
  await sql`delete from schema_migrations where name like '0017%'`;
  await sql`update schema_migrations set sha256 = 'old' where name = 'functions'`;
  expect((await look()).migrations).toEqual({
    name: "migrations",
    state: "fail",
    text: "not applied: 0017_time_deliveries.sql",
    mend: "npm run migrate",
  });
  const later = () => new Date(Date.now() + 600_000);
  const off = await look({}, later);
  expect([off.clock, off["database clock"]]).toMatchObject([{ state: "warn" }, { state: "warn" }]);
  await sql`
    insert into turns (turn_id, session_id, seq, message_id, channel, address, state, attempt, due_at, created_at)
    values (gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'web', '{}', 'pending', 1, now() + interval '1 hour', now() - interval '1 hour')`;
  expect((await look()).unanswered).toMatchObject({
    state: "warn",
    text: "1 messages, the oldest for 60 minutes",
  });
  await sql.end();

  // What only some hubs have: a bucket, the desk, a language model.
  const more = {
    MEDIA_BUCKET: "files",
    SUPABASE_ANON_KEY: "sb_publishable_other",
    LLM_BASE_URL: `http://127.0.0.1:${await freePort()}/v1`,
    LLM_MODEL: "m",
    LLM_API_KEY: "k",
  };
  expect(await look(more)).toMatchObject({
    media: { state: "fail", text: "Supabase Storage has no bucket files: it answers 404" },
    desk: { state: "fail", text: "Supabase Auth does not take the public key (401)" },
    llm: { state: "fail", text: "the endpoint cannot be reached" },
  });
  shop.project.buckets.set("files", false);
  expect(await look({ ...more, SUPABASE_ANON_KEY: PUBLIC_KEY })).toMatchObject({
    media: { state: "ok" },
    desk: { state: "ok" },
  });

  // Keys: wrong ones are named; absent ones skip their checks.
  const wrong = await look({
    ADMIN_API_KEY: "another",
    TELEGRAM_BOT_TOKEN: "1:wrong",
    WHATSAPP_APP_SECRET: "wrong",
    UPSTASH_REDIS_REST_TOKEN: "wrong",
    DATABASE_URL: "postgres://hub:pa55word@127.0.0.1:9/none",
  });
  expect(wrong.hub).toMatchObject({ state: "fail", text: "it does not take ADMIN_API_KEY" });
  for (const name of ["telegram webhook", "whatsapp token", "upstash", "database"])
    expect(wrong[name]).toMatchObject({ state: "fail", mend: expect.any(String) });
  expect(JSON.stringify(wrong)).not.toMatch(/pa55word/);
  await writeFile(join(shop.env.FAKE_CLOUDFLARE!, "logged-out"), "");
  const none = await look({ DATABASE_URL: undefined, TELEGRAM_BOT_TOKEN: undefined });
  expect([none.database, none["telegram webhook"], none.cloudflare]).toMatchObject([
    { state: "skipped", text: "not checked without DATABASE_URL" },
    { state: "skipped" },
    { state: "fail", mend: expect.stringMatching(/^npx wrangler login/) },
  ]);
});

test("npm run doctor prints a line for each check, with a sign and what mends it, and exits with 1 for a failure", async () => {
  const shop = await startShopFront();
  const port = await freePort();
  const { PATH, FAKE_CLOUDFLARE, SETUP_DIR } = shop.env as Record<string, string>;
  const env = {
    PATH,
    FAKE_CLOUDFLARE,
    SETUP_DIR,
    HUB_URL: `http://127.0.0.1:${port}`,
    ADMIN_API_KEY: "of-the-shop",
  };
  const { code, stdout } = await programs(env)(process.execPath, ["scripts/doctor.ts"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^✗ hub: 127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\)\n {4}→ npm run deploy$/m);
  expect(stdout).toMatch(/^- database: not checked without DATABASE_URL$/m);
  expect(stdout).toMatch(/^✓ cloudflare: logged in to Shop$/m);
  expect(stdout).not.toContain("of-the-shop");
});
