import { migrate } from "../../migrations/migrate.ts";
import { checkModel } from "./model.ts";
import type { Outcome } from "./outcome.ts";
import { fail, ok } from "./outcome.ts";
import { checkDatabase, checkSupabase, checkUpstash } from "./stores.ts";
import { supabaseOf } from "./supabase.ts";
import { telegramOf } from "./telegram.ts";
import { whatsappOf } from "./whatsapp.ts";

/** Settings by name. */
export type Values = Record<string, string | undefined>;

/** A setting that somebody has to give. */
export interface Key {
  readonly name: string;
  readonly question: string;
  readonly isSecret: boolean;
  /** Whether the Worker gets it. Others serve setup and doctor only. */
  readonly isStored: boolean;
}

/** One part of a hub, with the keys that it needs. */
export interface Part {
  readonly name: string;
  /** Asked before an optional part; absent for one that every hub has. */
  readonly question?: string;
  readonly keys: readonly Key[];
  /** The keys that setup makes by itself, and their length in bytes. */
  readonly made?: readonly string[];
  /** The webhook's address on the hub, for a messenger. */
  readonly webhook?: string;
  /** Checks the keys by asking the platform. Returns what it has learned besides, as settings. */
  check(values: Values, now: () => Date): Promise<{ outcomes: Outcome[]; learned?: Values }>;
}

const secret = (name: string, question: string, isStored = true): Key => ({
  name,
  question,
  isSecret: true,
  isStored,
});
const plain = (name: string, question: string, isStored = true): Key => ({
  name,
  question,
  isSecret: false,
  isStored,
});

export function whatsappFrom(values: Values) {
  return whatsappOf({
    accessToken: values.WHATSAPP_ACCESS_TOKEN!,
    appId: values.WHATSAPP_APP_ID!,
    appSecret: values.WHATSAPP_APP_SECRET!,
    accountId: values.WHATSAPP_ACCOUNT_ID!,
    phoneNumberId: values.WHATSAPP_PHONE_NUMBER_ID!,
    ...(values.WHATSAPP_API_ROOT && { root: values.WHATSAPP_API_ROOT }),
    ...(values.WHATSAPP_API_VERSION && { version: values.WHATSAPP_API_VERSION }),
  });
}

export function telegramFrom(values: Values) {
  return telegramOf(values.TELEGRAM_BOT_TOKEN!, values.TELEGRAM_API_ROOT);
}

const withoutKey = (name: string) =>
  fail(name, "it needs SUPABASE_SERVICE_ROLE_KEY once more", "set it in the environment");

/** The parts in the order in which setup asks for them. */
export const PARTS: readonly Part[] = [
  {
    name: "database",
    keys: [
      secret(
        "DATABASE_URL",
        "Supabase's connection string (Connect → Session pooler, with the password)",
        false,
      ),
    ],
    async check({ DATABASE_URL: url }, now) {
      const outcomes = await checkDatabase(url!, now);
      if (outcomes.every(({ name, state }) => state !== "fail" || name === "migrations")) {
        const { applied } = await migrate(url!);
        const after = await checkDatabase(url!, now);
        return {
          outcomes: applied.length > 0 ? [...after, ok("migrated", `${applied.length} applied`)] : after,
        };
      }
      return { outcomes };
    },
  },
  {
    name: "supabase",
    keys: [
      plain("SUPABASE_URL", "Supabase's project URL (https://….supabase.co)"),
      secret(
        "SUPABASE_SERVICE_ROLE_KEY",
        "Supabase's secret key (Settings → API keys: sb_secret_… or service_role)",
      ),
    ],
    check: async ({ SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key }) => ({
      outcomes: [await checkSupabase(url!, key!)],
    }),
  },
  {
    name: "media",
    question: "Take files from customers and bots, in Supabase Storage?",
    keys: [plain("MEDIA_BUCKET", "The name of a private bucket, which is made")],
    check: async ({ SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key, MEDIA_BUCKET: bucket }) => ({
      outcomes: [key ? await supabaseOf(url!, key).bucket(bucket!) : withoutKey("media")],
    }),
  },
  {
    name: "desk",
    question: "Shall people answer at the desk (/desk)?",
    keys: [
      plain("SUPABASE_ANON_KEY", "Supabase's public key (Settings → API keys: sb_publishable_… or anon)"),
      plain("DESK_EMAIL", "The e-mail of the first of them, who may add others", false),
    ],
    check: async ({ SUPABASE_URL: url, SUPABASE_SERVICE_ROLE_KEY: key, SUPABASE_ANON_KEY: publicKey }) => ({
      outcomes: [key ? await supabaseOf(url!, key).signIn(publicKey!) : withoutKey("desk")],
    }),
  },
  {
    name: "upstash",
    question: "Keep messages in Upstash Redis while the database is down? (recommended)",
    keys: [
      plain("UPSTASH_REDIS_REST_URL", "Upstash's REST URL (https://….upstash.io)"),
      secret("UPSTASH_REDIS_REST_TOKEN", "Upstash's REST token"),
    ],
    check: async ({ UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }) => ({
      outcomes: [await checkUpstash(url!, token!)],
    }),
  },
  {
    name: "telegram",
    question: "Connect a Telegram bot?",
    keys: [secret("TELEGRAM_BOT_TOKEN", "The bot's token, from @BotFather")],
    made: ["TELEGRAM_WEBHOOK_SECRET"],
    webhook: "/webhooks/telegram",
    async check(values) {
      const username = await telegramFrom(values).whoami();
      return {
        outcomes: [ok("telegram", `the bot is @${username}`)],
        learned: { TELEGRAM_BOT_USERNAME: username },
      };
    },
  },
  {
    name: "whatsapp",
    question: "Connect a WhatsApp number (Cloud API)?",
    keys: [
      plain("WHATSAPP_APP_ID", "The Meta app's id (developers.facebook.com/apps)", false),
      secret("WHATSAPP_APP_SECRET", "The app's secret (App settings → Basic)"),
      plain("WHATSAPP_ACCOUNT_ID", "The WhatsApp Business Account's id (WhatsApp → API setup)", false),
      plain("WHATSAPP_PHONE_NUMBER_ID", "The phone number's id, not the number (WhatsApp → API setup)"),
      secret("WHATSAPP_ACCESS_TOKEN", "A system user's access token, with both WhatsApp rights"),
    ],
    made: ["WHATSAPP_VERIFY_TOKEN"],
    webhook: "/webhooks/whatsapp",
    async check(values, now) {
      const whatsapp = whatsappFrom(values);
      const token = await whatsapp.token(now());
      if (token.state === "fail") return { outcomes: [token] };
      const { digits, outcomes } = await whatsapp.number();
      return { outcomes: [token, ...outcomes], learned: { WHATSAPP_DISPLAY_PHONE_NUMBER: digits } };
    },
  },
];

/** The language model: asked for if it is the bot. */
export const LLM: Part = {
  name: "llm",
  keys: [
    plain("LLM_BASE_URL", "The model's endpoint, up to and with /v1 (https://…/v1)"),
    plain("LLM_MODEL", "The model's name there"),
    secret("LLM_API_KEY", "The endpoint's key"),
  ],
  check: checkModel,
};

/** The settings of the language model that setup passes on where they are given. */
export const LLM_SETTINGS = [
  "LLM_SYSTEM_PROMPT",
  "LLM_TIMEZONE",
  "LLM_TIMEOUT_SECONDS",
  "LLM_STREAM",
  "LLM_TURN_STEPS",
  "LLM_TURN_TOKENS",
  "LLM_ANSWER_TOKENS",
  "LLM_CUSTOMER_DAY_TURNS",
  "LLM_CUSTOMER_DAY_TOKENS",
  "LLM_INPUT_PRICE",
  "LLM_OUTPUT_PRICE",
  "LLM_DAY_COST",
  "LLM_EMBEDDINGS_MODEL",
  "LLM_EMBEDDINGS_BASE_URL",
  "LLM_EMBEDDINGS_API_KEY",
] as const;

/** The keys of a hub that setup makes unless they are given: for the back office, the web page, the kiosk, and links to files. */
export const OWN_KEYS = ["ADMIN_API_KEY", "WEB_API_KEY", "KIOSK_API_KEY", "MEDIA_LINK_SECRET"] as const;
