import { z } from "zod";
import { HubError } from "../core/errors.ts";
import type { LanguagePolicy } from "../core/language/policy.ts";
import { canonicalLanguage } from "../core/language/tag.ts";
import { type Env, isDevelopment, settingsOf } from "../core/settings.ts";

const DEVELOPMENT_SECRETS: Readonly<Record<string, string>> = {
  KIOSK_API_KEY: "dev-kiosk-key",
  WEB_API_KEY: "dev-web-key",
  ADMIN_API_KEY: "dev-admin-key",
  BOT_API_KEY: "dev-bot-key",
  TELEGRAM_WEBHOOK_SECRET: "dev-telegram-secret",
  WHATSAPP_APP_SECRET: "dev-app-secret",
  WHATSAPP_VERIFY_TOKEN: "dev-verify-token",
  MEDIA_LINK_SECRET: "dev-media-link-secret-of-32-characters",
};

const DAY_MS = 86_400_000;

const list = z
  .string()
  .default("")
  .transform((text) => itemsOf(text));
const keys = list.refine(
  (items) => items.every((item) => !item.startsWith("hst_")),
  "must not begin with hst_",
);
const onOff = z.union([z.boolean(), z.stringbool()], "must be true or false").default(true);
const days = z.coerce.number().positive().max(36_500);
const language = z.string().transform((text, context) => {
  const tag = /^[A-Za-z]{2,3}(-|$)/.test(text) ? canonicalLanguage(text) : undefined;
  if (tag === undefined) context.addIssue("must be a language such as de or pt-BR");
  return tag ?? z.NEVER;
});

const hubSchema = z.object({
  ENVIRONMENT: z.enum(["production", "development"]).default("production"),
  KIOSK_API_KEY: keys,
  WEB_API_KEY: keys,
  ADMIN_API_KEY: keys,
  BOT_API_KEY: keys,
  CORS_ORIGINS: list.refine(
    (items) => items.every(isOrigin),
    "must be origins such as https://shop.example, or *",
  ),
  CONVERSATION_STORAGE_BACKEND: z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(["database", "supabase", "postgres", "postgresql", "memory"]))
    .optional(),
  FEATURE_SUPABASE_WRITE: onOff,
  REDIS_SESSION_TTL: z.coerce.number().int().min(1).default(86_400),
  CONVERSATION_TIMEOUT_HOURS: z.coerce.number().positive().max(8_760).default(24),
  SESSION_TTL_HOURS: z.coerce.number().positive().max(87_600).default(168),
  SESSION_RETENTION_DAYS: days.default(30),
  // At least 8 days: platforms redeliver a message for up to a week, and the hub must still know it then.
  MESSAGE_RETENTION_DAYS: days.min(8).optional(),
  PASSWORD_RETENTION_DAYS: days.default(365),
  IDENTITY_RETENTION_DAYS: days.default(365),
  BOOKING_RETENTION_DAYS: days.default(730),
  // More than the three days for which an event is tried.
  EVENT_RETENTION_DAYS: days.min(4).default(7),
  KIOSK_PHONE_POLICY: z.enum(["trust", "verify"], "must be trust or verify").default("verify"),
  DEFAULT_COUNTRY: z
    .string()
    .regex(/^[A-Z]{2}$/, "must be a country as two capital letters")
    .optional(),
  DEFAULT_LANGUAGE: language.optional(),
  LANGUAGE_MODE: z
    .string()
    .trim()
    .toLowerCase()
    .pipe(z.enum(["single", "auto", "allowed"]))
    .optional(),
  ALLOWED_LANGUAGES: list.pipe(z.array(language)),
});

const supabaseSchema = z.object({
  SUPABASE_URL: z.url({ protocol: /^https?$/, error: "must be a URL" }),
  SUPABASE_SERVICE_ROLE_KEY: z.string(),
});

const upstashSchema = z.object({
  UPSTASH_REDIS_REST_URL: z.url({ protocol: /^https?$/, error: "must be a URL" }),
  UPSTASH_REDIS_REST_TOKEN: z.string(),
});

const hyperdriveSchema = z.object({
  HYPERDRIVE: z.object({ connectionString: z.string(), pool: z.number().optional() }),
});

/** The store to use, with its address and credentials. */
type Backend =
  | { readonly name: "memory" }
  | { readonly name: "supabase"; readonly url: string; readonly key: string }
  | {
      readonly name: "postgres";
      readonly connectionString: string;
      /** How many connections all events share. Absent, as behind Hyperdrive: each event has its own. */
      readonly pool?: number;
    };

/** The settings of the README's table, without those of a single channel or bot. */
export interface Config {
  readonly keys: {
    readonly kiosk: string[];
    readonly web: string[];
    readonly admin: string[];
    readonly bot: string[];
  };
  readonly corsOrigins: string[];
  /** Whether pages of `http://localhost` and other local origins may call too, from any port. */
  readonly localOrigins: boolean;
  /** Whether endpoints may be http and at private addresses. */
  readonly openTargets: boolean;
  readonly backend: Backend;
  readonly upstash?: { readonly url: string; readonly token: string };
  readonly cacheTtlSeconds: number;
  readonly sessionTtlMs: number;
  /** How long a bot's thread is kept after its last use, unless the thread has its own `ttl_hours`. */
  readonly threadTtlMs: number;
  /** How long a session is kept after its end. */
  readonly retentionMs: number;
  /** How long a message is kept. Absent: as long as its session. */
  readonly messageRetentionMs?: number;
  /** How long a password is kept without a log-in. */
  readonly passwordRetentionMs: number;
  /** How long an identity is kept after it was last seen. */
  readonly identityRetentionMs: number;
  readonly bookingRetentionMs: number;
  /** How long an event is kept, for a replay. */
  readonly eventRetentionMs: number;
  /** `trust`: a phone typed at a kiosk counts as verified. `verify`: it is only claimed. */
  readonly kioskPhones: "trust" | "verify";
  readonly country?: string;
  /** Which languages sessions may have. Absent: no language setting is there, and there are no rules. */
  readonly languages?: LanguagePolicy;
  /** Settings with which the hub works, but should not in production. `/health` names them. */
  readonly shortcomings: readonly Shortcoming[];
}

/** Why a hub that serves requests is `degraded`. */
export type Shortcoming = "memory_store" | "store_writes_off";

/** Reads and checks the settings. Throws `misconfigured`, naming every variable that is missing or wrong. */
export function configOf(env: Env): Config {
  const problems: string[] = [];
  const hub = attempt(problems, () => settingsOf("the hub", hubSchema, env) as z.infer<typeof hubSchema>);
  if (!isDevelopment(env)) problems.push(...developmentSecretsIn(env));
  const upstash = attempt(problems, () => settingsOf("the cache", upstashSchema, env));
  const supabase = attempt(problems, () => settingsOf("supabase", supabaseSchema, env));
  const hyperdrive = attempt(problems, () => settingsOf("postgres", hyperdriveSchema, env));
  const backend = hub && attempt(problems, () => backendOf(hub, { supabase, hyperdrive }));
  const languages = hub && attempt(problems, () => languagesOf(hub));
  if (!hub || !backend || problems.length > 0) throw new HubError("misconfigured", problems.join("; "));
  return {
    keys: {
      kiosk: hub.KIOSK_API_KEY,
      web: hub.WEB_API_KEY,
      admin: hub.ADMIN_API_KEY,
      bot: hub.BOT_API_KEY,
    },
    corsOrigins: hub.CORS_ORIGINS,
    localOrigins: isDevelopment(env),
    openTargets: isDevelopment(env),
    backend,
    ...(upstash && {
      upstash: { url: upstash.UPSTASH_REDIS_REST_URL, token: upstash.UPSTASH_REDIS_REST_TOKEN },
    }),
    cacheTtlSeconds: hub.REDIS_SESSION_TTL,
    sessionTtlMs: hub.SESSION_TTL_HOURS * 3_600_000,
    threadTtlMs: hub.CONVERSATION_TIMEOUT_HOURS * 3_600_000,
    retentionMs: hub.SESSION_RETENTION_DAYS * DAY_MS,
    ...(hub.MESSAGE_RETENTION_DAYS && { messageRetentionMs: hub.MESSAGE_RETENTION_DAYS * DAY_MS }),
    passwordRetentionMs: hub.PASSWORD_RETENTION_DAYS * DAY_MS,
    identityRetentionMs: hub.IDENTITY_RETENTION_DAYS * DAY_MS,
    bookingRetentionMs: hub.BOOKING_RETENTION_DAYS * DAY_MS,
    eventRetentionMs: hub.EVENT_RETENTION_DAYS * DAY_MS,
    kioskPhones: hub.KIOSK_PHONE_POLICY,
    ...(hub.DEFAULT_COUNTRY && { country: hub.DEFAULT_COUNTRY }),
    ...languages,
    shortcomings: shortcomingsOf(hub, backend),
  };
}

/** The admin keys of a hub with wrong settings: callers with such a key see what is wrong. */
export function adminKeysOf({ ADMIN_API_KEY: list, ...env }: Env): string[] {
  const given = typeof list === "string" ? itemsOf(list) : [];
  const wellKnown = isDevelopment(env) ? [] : Object.values(DEVELOPMENT_SECRETS);
  return given.filter((key) => !key.startsWith("hst_") && !wellKnown.includes(key));
}

/** The language that a hub with a mode and without a default speaks. */
const FALLBACK_LANGUAGE = "en";

/** The rules for languages; none unless a setting of them is there. */
function languagesOf({ DEFAULT_LANGUAGE, LANGUAGE_MODE, ALLOWED_LANGUAGES: allowed }: Hub): {
  languages?: LanguagePolicy;
} {
  if (!DEFAULT_LANGUAGE && !LANGUAGE_MODE && allowed.length === 0) return {};
  const first = DEFAULT_LANGUAGE ?? allowed[0] ?? FALLBACK_LANGUAGE;
  if (LANGUAGE_MODE === "allowed" && allowed.length === 0)
    throw new HubError("misconfigured", "ALLOWED_LANGUAGES is missing, which LANGUAGE_MODE allowed needs");
  const rest = allowed.filter((language) => language !== first);
  return { languages: { mode: LANGUAGE_MODE ?? "single", languages: [first, ...new Set(rest)] } };
}

type Hub = z.infer<typeof hubSchema>;

interface Databases {
  readonly supabase: z.infer<typeof supabaseSchema> | undefined;
  readonly hyperdrive: z.infer<typeof hyperdriveSchema> | undefined;
}

/**
 * The chosen backend; without a choice the configured one, else memory. A chosen one without its settings is an error.
 */
function backendOf(hub: Hub, { supabase, hyperdrive }: Databases): Backend {
  if (!hub.FEATURE_SUPABASE_WRITE) return { name: "memory" };
  const database = supabase ? "supabase" : hyperdrive ? "postgres" : undefined;
  const chosen = hub.CONVERSATION_STORAGE_BACKEND ?? database ?? "memory";
  switch (chosen === "database" ? database : chosen) {
    case undefined:
      throw missing("database", "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY, or the HYPERDRIVE binding, are");
    case "supabase":
      if (!supabase) throw missing("supabase", "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY are");
      return { name: "supabase", url: supabase.SUPABASE_URL, key: supabase.SUPABASE_SERVICE_ROLE_KEY };
    case "postgres":
    case "postgresql":
      if (!hyperdrive) throw missing("postgres", "the HYPERDRIVE binding is");
      return postgresOf(hyperdrive);
    case "memory":
      return { name: "memory" };
  }
}

function postgresOf({ HYPERDRIVE: { connectionString, pool } }: z.infer<typeof hyperdriveSchema>): Backend {
  return { name: "postgres", connectionString, ...(pool !== undefined && { pool }) };
}

/** The shortcomings of the chosen store: in production the memory store would lose everything at a restart. */
function shortcomingsOf(hub: Hub, backend: Backend): Shortcoming[] {
  if (!hub.FEATURE_SUPABASE_WRITE) return ["store_writes_off"];
  return backend.name === "memory" && hub.ENVIRONMENT !== "development" ? ["memory_store"] : [];
}

/**
 * An error for each well-known development value. Anyone can read these in the repository, so production refuses them.
 */
function developmentSecretsIn(env: Env): string[] {
  return Object.entries(DEVELOPMENT_SECRETS).flatMap(([name, secret]) => {
    const value = env[name];
    if (typeof value !== "string" || !itemsOf(value).includes(secret)) return [];
    return `${name} holds a development value, which is refused unless ENVIRONMENT is development`;
  });
}

function missing(backend: string, what: string): HubError {
  return new HubError(
    "misconfigured",
    `CONVERSATION_STORAGE_BACKEND is ${backend}, but ${what} missing; the hub does not fall back to the memory store`,
  );
}

/** Runs `make`, and collects a `misconfigured` error, so that all of them are named at once. */
function attempt<T>(problems: string[], make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof HubError && error.code === "misconfigured")) throw error;
    problems.push(error.message);
    return undefined;
  }
}

function itemsOf(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.trim())
    .filter(Boolean);
}

function isOrigin(text: string): boolean {
  return text === "*" || URL.parse(text)?.origin === text;
}
