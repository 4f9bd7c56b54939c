import { describe, expect, test } from "vitest";
import { assemble } from "../../src/compose/assembly.ts";
import { adminKeysOf, configOf } from "../../src/compose/config.ts";

const DAY_MS = 86_400_000;

function refusal(env: Record<string, unknown>): string {
  try {
    configOf(env);
  } catch (error) {
    expect(error).toMatchObject({ name: "HubError", code: "misconfigured" });
    return (error as Error).message;
  }
  throw new Error("was not refused");
}

test("an empty environment gives a memory hub without any API key", () => {
  expect(configOf({})).toEqual({
    desk: { words: true, waitLimitMs: 900_000 },
    keys: { kiosk: [], web: [], admin: [], bot: [] },
    corsOrigins: [],
    backend: { name: "memory" },
    cacheTtlSeconds: 86_400,
    sessionTtlMs: 7 * DAY_MS,
    threadTtlMs: DAY_MS,
    retentionMs: 30 * DAY_MS,
    passwordRetentionMs: 365 * DAY_MS,
    identityRetentionMs: 365 * DAY_MS,
    bookingRetentionMs: 730 * DAY_MS,
    eventRetentionMs: 7 * DAY_MS,
    openTargets: false,
    kioskPhones: "verify",
    localOrigins: false,
    shortcomings: ["memory_store"],
  });
});

test("every setting reaches the part that uses it", () => {
  expect(
    configOf({
      KIOSK_API_KEY: "k1, k2,",
      WEB_API_KEY: "w1",
      ADMIN_API_KEY: "a1",
      BOT_API_KEY: "b1",
      CORS_ORIGINS: "https://shop.example, http://localhost:5173",
      SUPABASE_URL: "https://x.supabase.co",
      SUPABASE_SERVICE_ROLE_KEY: "service",
      UPSTASH_REDIS_REST_URL: "https://x.upstash.io",
      UPSTASH_REDIS_REST_TOKEN: "token",
      REDIS_SESSION_TTL: "60",
      SESSION_TTL_HOURS: "1.5",
      CONVERSATION_TIMEOUT_HOURS: "48",
      SESSION_RETENTION_DAYS: "2",
      MESSAGE_RETENTION_DAYS: "8.5",
      PASSWORD_RETENTION_DAYS: "90",
      IDENTITY_RETENTION_DAYS: "30",
      BOOKING_RETENTION_DAYS: "100",
      EVENT_RETENTION_DAYS: "14",
      KIOSK_PHONE_POLICY: "trust",
      DEFAULT_COUNTRY: "DE",
      DEFAULT_LANGUAGE: "de",
      LANGUAGE_MODE: "Auto",
      HANDOFF_WORDS: "false",
      HANDOFF_WAIT_LIMIT_MINUTES: "5",
      OPENING_HOURS: "Su 10:00-12:30",
      OPENING_TIME_ZONE: "Asia/Kolkata",
      AWAY_MESSAGE: "Away",
      ALLOWED_LANGUAGES: "en, de, pt-br",
    }),
  ).toEqual({
    desk: {
      words: false,
      waitLimitMs: 300_000,
      hours: { days: [[], [], [], [], [], [], [[600, 750]]], timeZone: "Asia/Kolkata" },
      awayMessage: "Away",
    },
    keys: { kiosk: ["k1", "k2"], web: ["w1"], admin: ["a1"], bot: ["b1"] },
    corsOrigins: ["https://shop.example", "http://localhost:5173"],
    backend: { name: "supabase", url: "https://x.supabase.co", key: "service" },
    upstash: { url: "https://x.upstash.io", token: "token" },
    cacheTtlSeconds: 60,
    sessionTtlMs: 5_400_000,
    threadTtlMs: 2 * DAY_MS,
    retentionMs: 2 * DAY_MS,
    messageRetentionMs: 8.5 * DAY_MS,
    passwordRetentionMs: 90 * DAY_MS,
    identityRetentionMs: 30 * DAY_MS,
    bookingRetentionMs: 100 * DAY_MS,
    eventRetentionMs: 14 * DAY_MS,
    openTargets: false,
    kioskPhones: "trust",
    country: "DE",
    languages: { mode: "auto", languages: ["de", "en", "pt-BR"] },
    localOrigins: false,
    shortcomings: [],
  });
});

describe("the backend", () => {
  const supabase = { SUPABASE_URL: "https://x.supabase.co", SUPABASE_SERVICE_ROLE_KEY: "service" };
  const hyperdrive = { HYPERDRIVE: { connectionString: "postgres://x" } };
  test.for([
    [{}, "memory"],
    [supabase, "supabase"],
    [hyperdrive, "postgres"],
    [{ ...supabase, ...hyperdrive }, "supabase"],
    [{ ...supabase, ...hyperdrive, CONVERSATION_STORAGE_BACKEND: "postgres" }, "postgres"],
    [{ ...supabase, CONVERSATION_STORAGE_BACKEND: "memory" }, "memory"],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: "false" }, "memory"],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: false, CONVERSATION_STORAGE_BACKEND: "supabase" }, "memory"],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: "true" }, "supabase"],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: "" }, "supabase"],
    [{ ...supabase, ...hyperdrive, CONVERSATION_STORAGE_BACKEND: "Postgres" }, "postgres"],
    [{ ...supabase, CONVERSATION_STORAGE_BACKEND: "MEMORY" }, "memory"],
    [{ ...hyperdrive, CONVERSATION_STORAGE_BACKEND: " PostgreSQL " }, "postgres"],
    [{ ...hyperdrive, CONVERSATION_STORAGE_BACKEND: "Database" }, "postgres"],
    [{ ...supabase, ...hyperdrive, CONVERSATION_STORAGE_BACKEND: "database" }, "supabase"],
    [{ ...supabase, CONVERSATION_STORAGE_BACKEND: "" }, "supabase"],
  ] as [Record<string, unknown>, string][])("of %j is %s", ([env, name]) => {
    expect(configOf(env).backend.name).toBe(name);
  });
});

test.for([
  [{ SUPABASE_URL: "https://x.supabase.co" }, "SUPABASE_SERVICE_ROLE_KEY is missing"],
  [{ SUPABASE_SERVICE_ROLE_KEY: "secret" }, "SUPABASE_URL is missing"],
  [{ SUPABASE_URL: "secret", SUPABASE_SERVICE_ROLE_KEY: "secret" }, "SUPABASE_URL must be a URL"],
  [{ UPSTASH_REDIS_REST_URL: "https://x.upstash.io" }, "UPSTASH_REDIS_REST_TOKEN is missing"],
  [{ CONVERSATION_STORAGE_BACKEND: "supabase" }, "SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY are missing"],
  [{ CONVERSATION_STORAGE_BACKEND: "SupaBase" }, "the hub does not fall back to the memory store"],
  [{ CONVERSATION_STORAGE_BACKEND: "postgres" }, "the HYPERDRIVE binding is missing"],
  [
    { CONVERSATION_STORAGE_BACKEND: "secret" },
    "CONVERSATION_STORAGE_BACKEND must be one of database, supabase, postgres, postgresql, memory",
  ],
  [{ CONVERSATION_STORAGE_BACKEND: "database" }, "or the HYPERDRIVE binding, are missing"],
  [{ CONVERSATION_TIMEOUT_HOURS: "secret" }, "CONVERSATION_TIMEOUT_HOURS must be a number"],
  [{ CONVERSATION_TIMEOUT_HOURS: "0" }, "CONVERSATION_TIMEOUT_HOURS must be more than 0"],
  [{ CONVERSATION_TIMEOUT_HOURS: "8761" }, "CONVERSATION_TIMEOUT_HOURS must be at most 8760"],
  [{ BOT_API_KEY: "hst_secret" }, "BOT_API_KEY must not begin with hst_"],
  [{ FEATURE_SUPABASE_WRITE: "secret" }, "FEATURE_SUPABASE_WRITE must be true or false"],
  [{ SESSION_TTL_HOURS: "secret" }, "SESSION_TTL_HOURS"],
  [{ SESSION_TTL_HOURS: "0" }, "SESSION_TTL_HOURS"],
  [{ REDIS_SESSION_TTL: "1.5" }, "REDIS_SESSION_TTL"],
  [{ DEFAULT_COUNTRY: "secret" }, "DEFAULT_COUNTRY must be a country"],
  [{ DEFAULT_LANGUAGE: "secret secret" }, "DEFAULT_LANGUAGE must be a language"],
  [{ LANGUAGE_MODE: "secret" }, "LANGUAGE_MODE"],
  [{ LANGUAGE_MODE: "allowed", DEFAULT_LANGUAGE: "de" }, "ALLOWED_LANGUAGES is missing"],
  [{ ALLOWED_LANGUAGES: "de, secret!" }, "ALLOWED_LANGUAGES"],
  [{ CORS_ORIGINS: "https://secret.example/path" }, "CORS_ORIGINS must be origins"],
  [{ MESSAGE_RETENTION_DAYS: "7" }, "MESSAGE_RETENTION_DAYS"],
  [{ PASSWORD_RETENTION_DAYS: "secret" }, "PASSWORD_RETENTION_DAYS"],
  [{ KIOSK_PHONE_POLICY: "secret" }, "KIOSK_PHONE_POLICY must be trust or verify"],
  [{ KIOSK_API_KEY: "hst_secret" }, "KIOSK_API_KEY must not begin with hst_"],
] as [Record<string, unknown>, string][])(
  "%j is refused, naming the variable and not its value",
  ([env, message]) => {
    expect(refusal(env)).toContain(message);
    expect(refusal(env)).not.toContain("secret");
  },
);

describe("a store that forgets", () => {
  const supabase = { SUPABASE_URL: "https://x.supabase.co", SUPABASE_SERVICE_ROLE_KEY: "service" };
  test.for([
    [{}, ["memory_store"]],
    [{ ...supabase, CONVERSATION_STORAGE_BACKEND: "memory" }, ["memory_store"]],
    [{ ENVIRONMENT: "development" }, []],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: "false" }, ["store_writes_off"]],
    [{ ...supabase, FEATURE_SUPABASE_WRITE: "false", ENVIRONMENT: "development" }, ["store_writes_off"]],
    [supabase, []],
  ] as [Record<string, unknown>, string[]][])("with %j has the shortcomings %j", ([env, codes]) => {
    expect(configOf(env).shortcomings).toEqual(codes);
  });
});

test("all missing and wrong settings are named at once", () => {
  const message = refusal({
    REDIS_SESSION_TTL: "0",
    WEB_API_KEY: "dev-web-key",
    ADMIN_API_KEY: "dev-admin-key",
    SUPABASE_URL: "https://x.supabase.co",
    UPSTASH_REDIS_REST_URL: "https://x.upstash.io",
  });
  for (const name of [
    "REDIS_SESSION_TTL must be at least 1",
    "WEB_API_KEY holds a development value",
    "ADMIN_API_KEY holds a development value",
    "SUPABASE_SERVICE_ROLE_KEY is missing",
    "UPSTASH_REDIS_REST_TOKEN is missing",
  ])
    expect(message).toContain(name);
});

test("a hub with wrong settings still accepts its admin keys, and no development key in production", () => {
  const env = { ADMIN_API_KEY: "one, dev-admin-key, hst_three" };
  expect(adminKeysOf(env)).toEqual(["one"]);
  expect(adminKeysOf({ ...env, ENVIRONMENT: "development" })).toEqual(["one", "dev-admin-key"]);
  expect(adminKeysOf({})).toEqual([]);
});

test.for([
  { KIOSK_API_KEY: "real, dev-kiosk-key" },
  { WEB_API_KEY: "dev-web-key" },
  { ADMIN_API_KEY: "dev-admin-key" },
  { BOT_API_KEY: "dev-bot-key" },
  { TELEGRAM_WEBHOOK_SECRET: "dev-telegram-secret" },
  { WHATSAPP_APP_SECRET: "dev-app-secret" },
  { WHATSAPP_VERIFY_TOKEN: "dev-verify-token" },
])("%j is refused unless ENVIRONMENT is development", (env) => {
  expect(refusal(env)).toContain(Object.keys(env)[0]);
  expect(refusal({ ...env, ENVIRONMENT: "production" })).toContain("development value");
  expect(() => configOf({ ...env, ENVIRONMENT: "development" })).not.toThrow();
});

test.for([
  ["Memory", 1],
  ["Database", 0],
] as const)("a hub told to use %s warns %i times at start that it forgets", ([backend, times]) => {
  const warned: unknown[] = [];
  const env = {
    ENVIRONMENT: "development",
    CONVERSATION_STORAGE_BACKEND: backend,
    SUPABASE_URL: "https://x.supabase.co",
    SUPABASE_SERVICE_ROLE_KEY: "service",
  };
  assemble(env, "1.2.3", (level, event, fields) => {
    if (event === "store.memory") warned.push([level, fields]);
  });
  expect(warned).toEqual(
    Array(times).fill(["warn", { message: "memory store: everything is forgotten at restart" }]),
  );
});
