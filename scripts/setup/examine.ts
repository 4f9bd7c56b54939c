import { hubOf } from "./hub.ts";
import { checkModel } from "./model.ts";
import { type Outcome, outcomeOf, skipped } from "./outcome.ts";
import { telegramFrom, type Values, whatsappFrom } from "./parts.ts";
import { checkDatabase, checkSupabase, checkUpstash } from "./stores.ts";
import { supabaseOf } from "./supabase.ts";
import { type RunProgram, wranglerOf } from "./wrangler.ts";

interface Check {
  readonly name: string;
  /** The settings that it needs. */
  readonly needs: readonly string[];
  readonly mend: string;
  readonly run: () => Promise<readonly Outcome[]>;
}

/** Checks a running hub and everything that it stands on. One check's failure stops no other. */
export async function examine(values: Values, run: RunProgram, now: () => Date): Promise<Outcome[]> {
  const hubUrl = values.HUB_URL?.replace(/\/+$/, "");
  const whatsapp = [
    "WHATSAPP_ACCESS_TOKEN",
    "WHATSAPP_APP_ID",
    "WHATSAPP_APP_SECRET",
    "WHATSAPP_ACCOUNT_ID",
    "WHATSAPP_PHONE_NUMBER_ID",
  ];
  // Parts that only some hubs have: nothing is said of those that this one does not.
  const optional: Check[] = [
    ...(values.LLM_BASE_URL
      ? [
          {
            name: "llm",
            needs: ["LLM_BASE_URL", "LLM_MODEL", "LLM_API_KEY"],
            mend: "docs/llm.md",
            run: async () => (await checkModel(values)).outcomes,
          },
        ]
      : []),
    ...(values.MEDIA_BUCKET
      ? [
          {
            name: "media",
            needs: ["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"],
            mend: "npm run setup",
            run: async () => [
              await supabaseOf(values.SUPABASE_URL!, values.SUPABASE_SERVICE_ROLE_KEY!).bucket(
                values.MEDIA_BUCKET!,
                false,
              ),
            ],
          },
        ]
      : []),
    ...(values.SUPABASE_ANON_KEY
      ? [
          {
            name: "desk",
            needs: ["SUPABASE_URL"],
            mend: "npm run setup",
            run: async () => [await supabaseOf(values.SUPABASE_URL!, "").signIn(values.SUPABASE_ANON_KEY!)],
          },
        ]
      : []),
  ];
  const checks: Check[] = [
    {
      name: "hub",
      needs: ["HUB_URL", "ADMIN_API_KEY"],
      mend: "npm run deploy",
      run: () => hubOf(hubUrl!, values.ADMIN_API_KEY!.split(",")[0]!.trim()).checks(now),
    },
    {
      name: "database",
      needs: ["DATABASE_URL"],
      mend: "look at the database's own console",
      run: () => checkDatabase(values.DATABASE_URL!, now),
    },
    {
      name: "supabase",
      needs: ["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"],
      mend: "https://status.supabase.com",
      run: async () => [await checkSupabase(values.SUPABASE_URL!, values.SUPABASE_SERVICE_ROLE_KEY!)],
    },
    {
      name: "upstash",
      needs: ["UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"],
      mend: "https://status.upstash.com",
      run: async () => [await checkUpstash(values.UPSTASH_REDIS_REST_URL!, values.UPSTASH_REDIS_REST_TOKEN!)],
    },
    {
      name: "telegram webhook",
      needs: ["TELEGRAM_BOT_TOKEN", "HUB_URL"],
      mend: "npm run setup",
      run: () => telegramFrom(values).webhook(`${hubUrl}/webhooks/telegram`, now()),
    },
    {
      name: "whatsapp token",
      needs: whatsapp,
      mend: "npm run setup",
      run: async () => [await whatsappFrom(values).token(now())],
    },
    {
      name: "whatsapp number",
      needs: whatsapp,
      mend: "npm run setup",
      run: async () => (await whatsappFrom(values).number()).outcomes,
    },
    {
      name: "whatsapp webhook",
      needs: [...whatsapp, "HUB_URL"],
      mend: "npm run setup",
      run: () => whatsappFrom(values).webhook(`${hubUrl}/webhooks/whatsapp`),
    },
    {
      name: "whatsapp templates",
      needs: whatsapp,
      mend: "https://business.facebook.com/latest/whatsapp_manager",
      run: async () => [await whatsappFrom(values).templates(values.WHATSAPP_CODE_TEMPLATE)],
    },
    ...optional,
    {
      name: "cloudflare",
      needs: [],
      mend: "npx wrangler login",
      run: async () => [await wranglerOf(run).whoami()],
    },
  ];
  return (await Promise.all(checks.map((check) => made(check, values)))).flat();
}

async function made({ name, needs, mend, run }: Check, values: Values): Promise<readonly Outcome[]> {
  const missing = needs.filter((key) => !values[key]);
  if (missing.length > 0)
    return [skipped(name, `not checked without ${missing.join(", ")}`, "set them in the environment")];
  let found: readonly Outcome[] = [];
  const outcome = await outcomeOf(name, mend, async () => {
    found = await run();
    return found[0]!;
  });
  return found.length > 0 ? found : [outcome];
}
