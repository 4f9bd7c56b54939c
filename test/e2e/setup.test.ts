import { spawn } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { UPDATE_KINDS } from "../../src/channels/telegram/read/update.ts";
import { json, startModelServer } from "../support/model-server.ts";
import { PUBLIC_KEY, type ShopFront, startShopFront } from "../support/shop-front.ts";

const root = resolve(import.meta.dirname, "../..");

/** Runs a command of package.json with these settings only. */
async function run(script: "setup" | "doctor", env: Record<string, string>, args: string[] = []) {
  const child = spawn(process.execPath, [join(root, `scripts/${script}.ts`), ...args], { cwd: root, env });
  let out = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      out += chunk;
    });
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, out, json: () => JSON.parse(out) };
}

const failed = (report: any) => report.steps.filter(({ state }: any) => state === "fail");

/** Expects that no secret is in a text: neither a given one nor one that setup has made. */
async function expectNoSecret(shop: ShopFront, text: string): Promise<void> {
  const made = await readFile(join(shop.dir, "keys.env"), "utf8").catch(() => "");
  const keys = [...made.matchAll(/^[A-Z_]+=(.+)$/gm)].map(([, value]) => value!);
  for (const secret of [...shop.secrets, ...keys]) expect(text).not.toContain(secret);
}

describe("npm run setup", () => {
  test("takes an empty database to a live hub with both messengers, again without harm, and tells no secret", async () => {
    const shop = await startShopFront();
    const first = await run("setup", shop.env, ["--yes", "--json"]);
    const report = first.json();
    expect(failed(report)).toEqual([]);
    expect([first.code, report.ok, report.hub_url]).toEqual([0, true, shop.hubUrl]);
    const said = Object.fromEntries(report.steps.map(({ name, text }: any) => [name, text]));
    expect(said).toMatchObject({
      migrations: "all applied",
      telegram: "the bot is @hub_bot",
      "whatsapp token": "valid, with the rights it needs, without an end",
      "whatsapp number": "+15550001111 (Session hub)",
      "telegram webhook": `set to ${shop.hubUrl}/webhooks/telegram, with ${UPDATE_KINDS.length} kinds of updates`,
      "whatsapp webhook of the account": `messages go to ${shop.hubUrl}/webhooks/whatsapp`,
      "test message": "the bot answered with one message",
    });
    expect(report.by_hand.map(({ link }: any) => link)).toContain(
      "https://developers.facebook.com/apps/670843887433847/go_live/",
    );

    // The webhooks work: a customer's message on each messenger is answered.
    for (const [emulator, message, method] of [
      [shop.telegram, { chat: { id: 7 }, text: "Hello" }, "sendMessage"],
      [shop.whatsapp, { from: "4915112345678", text: "Hello" }, "text"],
    ] as const) {
      expect(await shop.tell(emulator, "/_customer/message", message)).toMatchObject({ status: 200 });
      const { sent } = await shop.tell(emulator, `/_sent?method=${method}&wait=10`);
      expect(sent).toHaveLength(1);
    }

    // Secrets went in by stdin only, and only the owner can read the made keys.
    const calls = await shop.wrangled();
    expect(calls.map(({ args }) => args.join(" "))).toEqual(["whoami --json", "deploy", "secret bulk"]);
    const bulk = JSON.parse(calls[2]!.stdin);
    expect(Object.keys(bulk)).toEqual(
      expect.arrayContaining(["ADMIN_API_KEY", "TELEGRAM_BOT_TOKEN", "WHATSAPP_VERIFY_TOKEN"]),
    );
    for (const name of ["DATABASE_URL", "WHATSAPP_APP_ID", "WHATSAPP_ACCOUNT_ID"])
      expect(bulk).not.toHaveProperty(name);
    expect((await stat(join(shop.dir, "keys.env"))).mode & 0o777).toBe(0o600);
    const state = await readFile(join(shop.dir, "state.json"), "utf8");
    await expectNoSecret(shop, first.out + state + JSON.stringify(calls.map(({ args }) => args)));

    // Again, as after a clone of the state: nothing changes, and no key but the bot's is needed.
    const before = await readFile(join(shop.dir, "keys.env"), "utf8");
    const { PATH, FAKE_CLOUDFLARE, SETUP_DIR, HUB_URL, TELEGRAM_API_ROOT, WHATSAPP_API_ROOT } = shop.env;
    const without = {
      PATH: PATH!,
      FAKE_CLOUDFLARE: FAKE_CLOUDFLARE!,
      SETUP_DIR: SETUP_DIR!,
      HUB_URL: HUB_URL!,
      NO_COLOR: "1",
    };
    const again = await run(
      "setup",
      { ...without, TELEGRAM_API_ROOT: TELEGRAM_API_ROOT!, WHATSAPP_API_ROOT: WHATSAPP_API_ROOT! },
      ["--yes"],
    );
    expect([again.code, again.out]).toEqual([0, expect.stringContaining(`Live at ${shop.hubUrl}`)]);
    expect(again.out).toMatch(/skipped telegram: done before/);
    expect(await readFile(join(shop.dir, "keys.env"), "utf8")).toBe(before);
    expect(JSON.parse((await shop.wrangled()).at(-1)!.stdin)).not.toHaveProperty("TELEGRAM_BOT_TOKEN");
    await expectNoSecret(shop, again.out);
  });

  test("puts a language model, files and the desk into a live hub, and again without harm", async () => {
    const shop = await startShopFront();
    const model = await startModelServer(() => "Ready.");
    onTestFinished(() => model.stop());
    const prompt = join(shop.dir, "prompt.md");
    await writeFile(prompt, "You sell tea by the spoon.");
    const { BOT: _, ...rest } = shop.env;
    const env: Record<string, string> = {
      ...rest,
      LLM_BASE_URL: model.url,
      LLM_MODEL: "tea-model",
      LLM_API_KEY: "sk-of-the-model",
      LLM_SYSTEM_PROMPT_FILE: prompt,
      MEDIA_BUCKET: "shop-files",
      SUPABASE_ANON_KEY: PUBLIC_KEY,
      DESK_EMAIL: "ana@shop.example",
    };
    model.think(() => (response) => json(response, { error: { message: "sk-of-the-model is wrong" } }, 401));
    shop.project.buckets.set("open-to-all", true);
    for (const [wrong, name, cause] of [
      [{ MEDIA_BUCKET: "open-to-all" }, "media", "anybody can read the bucket open-to-all"],
      [
        { SUPABASE_ANON_KEY: "sb_publishable_other" },
        "desk",
        "Supabase Auth does not take the public key (401)",
      ],
      [{}, "llm", "the endpoint does not take the key"],
    ] as const) {
      const { code, json: told, out } = await run("setup", { ...env, ...wrong }, ["--yes", "--json"]);
      expect([code, failed(told())]).toMatchObject([1, [{ name, text: cause }]]);
      expect(out).not.toContain("sk-of-the-model");
    }
    expect(await shop.wrangled()).toEqual([]);

    model.think(() => "Ready.");
    for (const time of ["first", "again"]) {
      const { out, json: told } = await run("setup", env, ["--yes", "--json"]);
      expect([time, failed(told())]).toEqual([time, []]);
      const said = Object.fromEntries(told().steps.map(({ name, text }: any) => [name, text]));
      expect(said).toMatchObject({
        bot: "llm",
        llm: "tea-model answers",
        media: "uploads lie in the private bucket shop-files",
        "desk user":
          time === "first"
            ? `ana@shop.example is an admin of the desk at ${shop.hubUrl}/desk`
            : "done before",
        "test message": "the bot answered with one message",
      });
      expect(out).not.toContain("sk-of-the-model");
    }
    expect([shop.project.invited, shop.project.buckets.get("shop-files")]).toEqual([
      ["ana@shop.example"],
      false,
    ]);
    const { LLM_SYSTEM_PROMPT, MEDIA_LINK_SECRET, PUBLIC_URL, DESK_EMAIL } = await shop.stored();
    expect([LLM_SYSTEM_PROMPT, PUBLIC_URL, DESK_EMAIL]).toEqual([
      "You sell tea by the spoon.",
      shop.hubUrl,
      undefined,
    ]);
    expect(MEDIA_LINK_SECRET!.length).toBeGreaterThan(32);
    expect(JSON.stringify(model.asked.at(-1)!.body)).toContain("You sell tea by the spoon.");
    await writeFile(prompt, "x".repeat(5_200));
    const long = await run("setup", env, ["--yes", "--json"]);
    expect(failed(long.json())).toMatchObject([
      { name: "secrets", text: "LLM_SYSTEM_PROMPT: longer than 5 kB" },
    ]);
  });

  test.each([
    [
      "DATABASE_URL",
      "postgres://postgres:pa55word@127.0.0.1:9/none",
      "database",
      /the database does not answer \(ECONNREFUSED\)/,
    ],
    [
      "SUPABASE_SERVICE_ROLE_KEY",
      "sb_secret_wrong-key-of-another",
      "supabase",
      /does not take the key|not the service role's/,
    ],
    ["UPSTASH_REDIS_REST_TOKEN", "wrong-upstash-token", "upstash", /does not take the token/],
    ["TELEGRAM_BOT_TOKEN", "1000001:AAwrong-telegram-token", "telegram", /Telegram does not know this token/],
    [
      "WHATSAPP_APP_SECRET",
      "wrong-app-secret",
      "whatsapp",
      /Meta does not take the app id with the app secret/,
    ],
    ["WHATSAPP_ACCESS_TOKEN", "EAAwrong-access-token", "whatsapp token", /Invalid OAuth access token/],
    [
      "WHATSAPP_PHONE_NUMBER_ID",
      "100000000000009",
      "whatsapp",
      /Meta refuses the WHATSAPP_PHONE_NUMBER_ID with this token/,
    ],
  ])(
    "names a wrong %s, stops before anything is deployed, and goes on with the right one",
    async (name, wrong, step, cause) => {
      const shop = await startShopFront();
      const { code, json, out } = await run("setup", { ...shop.env, [name]: wrong }, ["--yes", "--json"]);
      expect([code, failed(json())]).toEqual([
        1,
        [
          expect.objectContaining({
            name: step,
            text: expect.stringMatching(cause),
            mend: expect.any(String),
          }),
        ],
      ]);
      expect(out).not.toContain(wrong.replace(/^100000000000009$/, "never"));
      expect(out).not.toContain("pa55word");
      await expectNoSecret(shop, out);
      expect(await shop.wrangled()).toEqual([]);
      if (name !== "TELEGRAM_BOT_TOKEN") return;
      const right = await run("setup", shop.env, ["--yes", "--json"]);
      expect([right.code, failed(right.json())]).toEqual([0, []]);
    },
  );

  test("names a token that lacks rights or ends, and a wrangler that is not logged in", async () => {
    const shop = await startShopFront();
    await shop.tell(shop.whatsapp, "/_settings", { tokenScopes: "whatsapp_business_messaging" });
    const lacking = await run("setup", shop.env, ["--yes", "--json"]);
    expect(failed(lacking.json())).toMatchObject([
      { name: "whatsapp token", text: "it lacks whatsapp_business_management" },
    ]);
    const tokenScopes = "whatsapp_business_management,whatsapp_business_messaging";
    await shop.tell(shop.whatsapp, "/_settings", {
      tokenScopes,
      tokenExpiresAt: Math.floor(Date.now() / 1_000) - 60,
    });
    const expired = await run("setup", shop.env, ["--yes", "--json"]);
    expect(failed(expired.json())).toMatchObject([
      { name: "whatsapp token", text: "Error validating access token" },
    ]);
    await shop.tell(shop.whatsapp, "/_settings", {
      tokenExpiresAt: Math.floor(Date.now() / 1_000) + 5 * 86_400,
    });
    await writeFile(join(shop.env.FAKE_CLOUDFLARE!, "logged-out"), "");
    const out = await run("setup", shop.env, ["--yes"]);
    expect(out.code).toBe(1);
    expect(out.out).toMatch(/warn +whatsapp token: valid for 4 more days: make one of a system user/);
    expect(out.out).toMatch(/fail +cloudflare: wrangler is not logged in → npx wrangler login/);
  });

  test("asks nobody without a terminal, and names what is missing", async () => {
    const shop = await startShopFront();
    expect(await run("setup", shop.env)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^no terminal to ask in/),
    });
    const { DATABASE_URL: _, ...rest } = shop.env;
    const missing = await run("setup", rest, ["--yes"]);
    expect([missing.code, missing.out]).toEqual([
      1,
      expect.stringMatching(/fail +database: DATABASE_URL missing/),
    ]);
  });
});
