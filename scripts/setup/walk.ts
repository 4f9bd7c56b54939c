import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { readFunctions, readMigrations } from "../../migrations/files.ts";
import { functionsHash } from "../../migrations/functions.ts";
import { promptFromFile } from "../../src/node/prompt-file.ts";
import { type Asker, Stopped } from "./ask.ts";
import { hubOf } from "./hub.ts";
import type { Memory } from "./memory.ts";
import { fail, type Outcome, ok, skipped } from "./outcome.ts";
import {
  LLM,
  LLM_SETTINGS,
  OWN_KEYS,
  PARTS,
  type Part,
  telegramFrom,
  type Values,
  whatsappFrom,
} from "./parts.ts";
import { supabaseOf } from "./supabase.ts";
import { type RunProgram, wranglerOf } from "./wrangler.ts";

export interface Walk {
  readonly env: Values;
  readonly asker: Asker;
  readonly memory: Memory;
  readonly run: RunProgram;
  readonly now: () => Date;
  /** How long the deployed hub may take to answer with its new settings. */
  readonly patienceMs?: number;
}

export interface Report {
  readonly ok: boolean;
  readonly hub_url: string | null;
  readonly steps: readonly Outcome[];
  readonly by_hand: readonly { readonly text: string; readonly link?: string }[];
}

/** How often the deployed hub is asked whether it has its settings. */
const LOOK_MS = 1_000;
/** The most bytes of one of a Worker's variables. https://developers.cloudflare.com/workers/platform/limits/ */
const VARIABLE_BYTES = 5_120;

/** Ends the walk after a failure that is already shown. */
class Failed extends Error {}

/**
 * Takes an empty checkout to a live hub: asks for keys, checks each at its platform, applies the migrations, deploys, stores the
 * secrets, sets the webhooks, reads them back and sends a test message. Every step may be made again. What is done and not given
 * anew is skipped. Throws `Stopped`.
 */
export async function walk({ env, asker, memory, run, now, patienceMs = 90_000 }: Walk): Promise<Report> {
  const { state, keys } = memory;
  const steps: Outcome[] = [];
  const values: Values = { ...state.answers, ...keys, ...withoutEmpty(env) };
  const on = new Set<string>();
  let hubUrl: string | undefined;

  function take(...outcomes: Outcome[]): void {
    for (const outcome of outcomes) {
      steps.push(outcome);
      asker.show(outcome);
    }
    if (outcomes.some(({ state }) => state === "fail")) throw new Failed();
  }
  async function step(name: string, mend: string, work: () => Promise<Outcome[]>): Promise<void> {
    let outcomes: Outcome[];
    try {
      outcomes = await work();
    } catch (error) {
      if (error instanceof Stopped) throw error;
      outcomes = [fail(name, (error as Error).message, mend)];
    }
    take(...outcomes);
  }
  async function done(name: string, what: string): Promise<void> {
    state.done[name] = what;
    await memory.save();
  }

  try {
    asker.begin("Session hub: from this checkout to a live hub");
    await step("llm", "mend LLM_SYSTEM_PROMPT_FILE", async () => {
      Object.assign(values, promptFromFile(env));
      return [];
    });
    for (const part of PARTS) if (await connect(part)) on.add(part.name);
    await chooseBot();
    await makeKeys();
    await deploy();
    await store();
    await wait();
    for (const part of PARTS) if (on.has(part.name) && part.webhook) await setWebhook(part, part.webhook);
    if (on.has("desk")) await inviteStaff(values.DESK_EMAIL!);
    await step("test message", "npm run doctor", async () => [await hub().message()]);
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
  } finally {
    await memory.save();
  }
  const isOk = steps.every(({ state }) => state !== "fail");
  const by_hand = isOk ? byHand(values, on) : [];
  if (isOk)
    asker.note(
      "By hand, in this order",
      by_hand.map(({ text, link }) => `- ${text}${link ? `\n  ${link}` : ""}`).join("\n"),
    );
  asker.end(isOk ? `Live at ${hubUrl}` : "Not live yet. Mend that, then npm run setup goes on from here.");
  return { ok: isOk, hub_url: hubUrl ?? null, steps, by_hand };

  function hub() {
    return hubOf(hubUrl!, firstOf(values.ADMIN_API_KEY!));
  }

  /** Asks for a part's keys until the platform takes them. Returns whether the hub has the part. */
  async function connect(part: Part): Promise<boolean> {
    const hasSecret = part.keys.some(({ isSecret }) => isSecret);
    const isGiven = part.keys.some(({ name, isSecret }) => (isSecret || !hasSecret) && env[name]);
    const what = await whatFor(part);
    const wasDone = state.done[part.name] === what && isComplete(part);
    if (wasDone && !isGiven) {
      take(skipped(part.name, "done before; give its keys in the environment to do it again"));
      return true;
    }
    if (
      part.question &&
      !isGiven &&
      !(await asker.confirm(part.question, asker.isPerson && part.name in state.done))
    ) {
      take(skipped(part.name, "not wanted"));
      return false;
    }
    for (;;) {
      const asked = await askFor(part);
      const outcomes = await checked(part);
      if (outcomes.every(({ state }) => state !== "fail")) {
        take(...outcomes);
        await done(part.name, what);
        return true;
      }
      if (!asker.isPerson) take(...outcomes);
      for (const outcome of outcomes) asker.show(outcome);
      if (!(await asker.confirm("Give the keys again?", true))) {
        steps.push(...outcomes);
        throw new Failed();
      }
      for (const name of asked.length > 0 ? asked : part.keys.map((key) => key.name)) delete values[name];
    }
  }

  /** Asks for the keys that are not there. Returns the names of those it has asked for. */
  async function askFor({ name: part, keys }: Part): Promise<string[]> {
    const missing = keys.filter(({ name }) => !values[name]);
    if (missing.length > 0 && !asker.isPerson)
      take(
        fail(part, `${missing.map(({ name }) => name).join(", ")} missing`, "set them in the environment"),
      );
    for (const { name, question, isSecret } of missing) {
      if (isSecret) values[name] = await asker.secret(question);
      else values[name] = await asker.text(question, state.answers[name]);
      if (!isSecret) state.answers[name] = values[name]!;
    }
    return missing.map(({ name }) => name);
  }

  async function checked(part: Part): Promise<Outcome[]> {
    try {
      const { outcomes, learned = {} } = await asker.during(`asking ${part.name}`, () =>
        part.check(values, now),
      );
      for (const [name, value] of Object.entries(learned)) values[name] ??= value;
      for (const { name, isSecret } of part.keys) if (!isSecret) state.answers[name] = values[name]!;
      for (const [name, value] of Object.entries(learned)) state.answers[name] = value!;
      return outcomes;
    } catch (error) {
      return [fail(part.name, (error as Error).message, "give the key again")];
    }
  }

  /** Whether the Worker has the part's settings, and its webhook is set: nothing of it needs the keys again. */
  function isComplete({ name, keys, webhook }: Part): boolean {
    return (
      keys.every(({ name, isStored }) => !isStored || state.stored.includes(name)) &&
      (!webhook || `${name} webhook` in state.done)
    );
  }

  async function chooseBot(): Promise<void> {
    if (values.BOT || values.BOT_WEBHOOK_URL || values.LLM_BASE_URL) {
      if (values.BOT_WEBHOOK_URL && !values.BOT_WEBHOOK_SECRET) keys.BOT_WEBHOOK_SECRET = made();
      const bot = values.BOT ?? (values.BOT_WEBHOOK_URL ? "webhook" : "llm");
      if (bot === "llm" && (await connect(LLM))) on.add(LLM.name);
      return take(ok("bot", bot));
    }
    const bot = await asker.choose("Who answers?", [
      { value: "echo", label: "the echo bot, to try it out" },
      { value: "llm", label: "a language model, by OpenAI's protocol (docs/llm.md)" },
      { value: "webhook", label: "your bot, by HTTP (docs/bots.md)" },
    ]);
    if (bot === "llm" && (await connect(LLM))) on.add(LLM.name);
    if (bot === "webhook") {
      values.BOT_WEBHOOK_URL = await asker.text("The bot's address (https://…)");
      state.answers.BOT_WEBHOOK_URL = values.BOT_WEBHOOK_URL;
      if (!values.BOT_WEBHOOK_SECRET) keys.BOT_WEBHOOK_SECRET = made();
    }
    values.BOT = bot;
    state.answers.BOT = bot;
    take(ok("bot", bot));
  }

  /** Makes the keys that nobody gives, once. They are saved before they are used. */
  async function makeKeys(): Promise<void> {
    const names = [...OWN_KEYS, ...PARTS.flatMap(({ name, made = [] }) => (on.has(name) ? made : []))];
    for (const name of names) if (!values[name]) keys[name] = made();
    Object.assign(values, { ...keys, ...withoutEmpty(env) });
    await memory.save();
    take(ok("keys", "made and saved in .setup/keys.env, which only you can read"));
  }

  async function deploy(): Promise<void> {
    const wrangler = wranglerOf(run);
    await step("cloudflare", "npx wrangler login", async () => [await wrangler.whoami()]);
    await step("deploy", "npm run deploy", async () => {
      const told = await asker.during("deploying", wrangler.deploy);
      const url = values.HUB_URL ?? told ?? state.hub_url;
      if (!url)
        return [fail("deploy", "wrangler names no address", "set HUB_URL to the Worker's own domain")];
      if (!isSafe(url))
        return [fail("deploy", "HUB_URL is not an https address", "set HUB_URL to https://…")];
      hubUrl = url.replace(/\/+$/, "");
      state.hub_url = hubUrl;
      return [ok("deploy", hubUrl)];
    });
    await memory.save();
  }

  async function store(): Promise<void> {
    values.PUBLIC_URL ??= hubUrl;
    const names = [
      ...OWN_KEYS,
      "PUBLIC_URL",
      ...(on.has(LLM.name) ? LLM_SETTINGS : []),
      ...[...PARTS, LLM].flatMap(({ name, keys, made = [] }) =>
        on.has(name) ? [...keys.filter(({ isStored }) => isStored).map((key) => key.name), ...made] : [],
      ),
      ...[
        "BOT",
        "BOT_WEBHOOK_URL",
        "BOT_WEBHOOK_SECRET",
        "TELEGRAM_BOT_USERNAME",
        "WHATSAPP_DISPLAY_PHONE_NUMBER",
      ],
      ...["TELEGRAM_API_ROOT", "WHATSAPP_API_ROOT", "WHATSAPP_API_VERSION", "DEFAULT_COUNTRY"],
    ];
    const given: Record<string, string> = Object.fromEntries(
      names.flatMap((name) => (values[name] ? [[name, values[name]]] : [])),
    );
    const large = Object.keys(given).filter((name) => Buffer.byteLength(given[name]!) > VARIABLE_BYTES);
    if (large.length > 0)
      take(
        fail(
          "secrets",
          `${large.join(", ")}: longer than 5 kB`,
          "shorten it; what a bot knows fits into documents",
        ),
      );
    await step("secrets", "npm run setup", async () => {
      await asker.during("storing the settings", () => wranglerOf(run).secrets(given));
      state.stored = [...new Set([...state.stored, ...Object.keys(given)])].sort();
      return [ok("secrets", `${Object.keys(given).length} settings stored at Cloudflare`)];
    });
    await memory.save();
  }

  /** Waits until the hub answers with its settings. */
  async function wait(): Promise<void> {
    const until = Date.now() + patienceMs;
    await step("hub", "npm run doctor", () =>
      asker.during("waiting for the hub", async () => {
        for (;;) {
          const health = await hub()
            .health()
            .catch(() => undefined);
          const isThere = health?.store?.ok && !health.misconfigured;
          if (isThere) return [ok("hub", `version ${health.version} answers, on ${health.store!.backend}`)];
          if (Date.now() > until)
            return [
              fail(
                "hub",
                health?.misconfigured ?? health?.store?.code ?? "it does not answer with its settings",
                "npm run doctor",
              ),
            ];
          await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        }
      }),
    );
  }

  async function inviteStaff(email: string): Promise<void> {
    if (state.done["desk user"] === email) return take(skipped("desk user", "done before"));
    await step("desk user", "npm run doctor", async () => {
      const { SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key } = values;
      const added = await hub().staff(email);
      if (added.state === "fail" || !key) return [added];
      return [added, await supabaseOf(url!, key).invite(email)];
    });
    await done("desk user", email);
  }

  async function setWebhook(part: Part, path: string): Promise<void> {
    const name = `${part.name} webhook`;
    const url = hubUrl + path;
    if (!part.keys.every((key) => values[key.name]))
      return state.done[name] === url
        ? take(skipped(name, "done before"))
        : take(
            fail(
              name,
              "the hub has moved, and the keys are not here",
              `set ${part.keys.map((key) => key.name).join(", ")}`,
            ),
          );
    await step(name, "npm run doctor", async () => {
      if (part.name === "telegram") {
        const telegram = telegramFrom(values);
        await telegram.setWebhook(url, values.TELEGRAM_WEBHOOK_SECRET!);
        return (await telegram.webhook(url, now())).filter((outcome) => outcome.name === name);
      }
      const whatsapp = whatsappFrom(values);
      await whatsapp.subscribe(url, values.WHATSAPP_VERIFY_TOKEN!);
      return whatsapp.webhook(url);
    });
    await done(name, url);
  }
}

/** What a part is done for: the database, for these migrations. */
async function whatFor({ name }: Part): Promise<string> {
  if (name !== "database") return "1";
  const dir = join(import.meta.dirname, "../../migrations");
  const newest = (await readMigrations(dir)).at(-1)?.name;
  return `${newest} ${functionsHash(await readFunctions(dir)).slice(0, 12)}`;
}

function byHand({ WHATSAPP_APP_ID: app }: Values, on: ReadonlySet<string>): Report["by_hand"] {
  return [
    {
      text: "Move .setup/keys.env to your password manager. Programs of the shop need WEB_API_KEY and KIOSK_API_KEY, you ADMIN_API_KEY",
    },
    ...(on.has("desk")
      ? [
          {
            text: "Let Supabase's invitations and links lead to the desk: add <hub>/desk to the redirect URLs",
            link: "https://supabase.com/dashboard/project/_/auth/url-configuration",
          },
        ]
      : []),
    ...(on.has("whatsapp")
      ? [
          {
            text: "Switch the app to Live: in development it gets no customers' messages",
            link: `https://developers.facebook.com/apps/${app}/go_live/`,
          },
          {
            text: "Add a payment method to the WhatsApp account, for templates",
            link: "https://business.facebook.com/latest/billing_hub",
          },
          {
            text: "Have the number's name and the business verified",
            link: "https://business.facebook.com/latest/settings/security_center",
          },
        ]
      : []),
    ...(on.has("telegram")
      ? [
          {
            text: "Give the bot a name, a picture and its commands, and Business Mode if you use it",
            link: "https://t.me/BotFather",
          },
        ]
      : []),
    {
      text: "Switch the database's backups on",
      link: "https://supabase.com/dashboard/project/_/database/backups",
    },
    { text: "npm run doctor, in two minutes and after each change" },
  ];
}

function made(): string {
  return randomBytes(32).toString("base64url");
}

function firstOf(list: string): string {
  return list.split(",")[0]!.trim();
}

function isSafe(url: string): boolean {
  const { protocol, hostname } = URL.parse(url) ?? {};
  return (
    protocol === "https:" || (protocol === "http:" && ["127.0.0.1", "localhost"].includes(hostname ?? ""))
  );
}

function withoutEmpty(env: Values): Values {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));
}
