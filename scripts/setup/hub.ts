import { randomUUID } from "node:crypto";
import { call } from "./call.ts";
import { fail, type Outcome, ok, skipped, warn } from "./outcome.ts";

interface Health {
  readonly status?: "ok" | "degraded";
  readonly version?: string;
  readonly reasons?: readonly string[];
  readonly misconfigured?: string;
  readonly bot?: string;
  readonly store?: {
    readonly backend: string;
    readonly ok: boolean;
    readonly latency_ms: number;
    readonly code?: string;
  };
  readonly work?: {
    readonly open_turns: number;
    readonly oldest_turn_age_s: number;
    readonly open_deliveries: number;
    readonly oldest_delivery_age_s: number;
    readonly last_sweep_age_s?: number;
  };
  readonly search?: { readonly lag_s: number };
  readonly rate_limits?: readonly string[];
  readonly journal?: { readonly ok: boolean; readonly depth?: number; readonly quarantined?: number };
}

interface Refused {
  readonly error?: { readonly code: string; readonly message: string };
}

/** The sweep runs every minute. */
const SWEEP_LATE_S = 180;
const UNANSWERED_S = 120;
const CLOCK_MS = 30_000;
const ALL_LIMITS = ["entry", "device", "caller"];

/** What the reasons of `/health` mean, and what mends them. */
const REASONS: Readonly<Record<string, readonly [text: string, mend: string]>> = {
  memory_store: ["it runs on the memory store and forgets everything", "npm run setup"],
  store_writes_off: ["FEATURE_SUPABASE_WRITE is false", "remove it, then npm run deploy"],
  no_bot: ["no bot is configured: nobody answers", "npm run setup"],
  store_down: ["its database does not answer", "look at the database's own console"],
  cache_down: ["its cache does not answer", "look at Upstash's console"],
  journal_down: ["its journal does not answer", "look at Upstash's console"],
  journal_waits: ["messages wait in the journal", "look at the database; docs/operations.md"],
  search_behind: ["the search's index is behind", "look whether the sweep runs"],
};

/** What setup and doctor ask of a running hub. */
export function hubOf(url: string, adminKey: string) {
  const root = url.replace(/\/+$/, "");
  const headers = { "x-api-key": adminKey };

  return {
    async health(): Promise<Health & { readonly date?: Date }> {
      const { status, body, headers: told } = await call<Health>(`${root}/health`, { headers });
      if (status !== 200 || !body.status)
        throw new Error(`${root}/health answers ${status}, and not as a hub`);
      const date = told.get("date");
      return { ...body, ...(date && { date: new Date(date) }) };
    },

    /** Every check of a running hub. */
    async checks(now: () => Date): Promise<Outcome[]> {
      const {
        reasons = [],
        misconfigured,
        version,
        store,
        work,
        rate_limits,
        journal,
        date,
        bot,
      } = await this.health();
      if (misconfigured) return [fail("hub", misconfigured, "npm run setup")];
      if (!store)
        return [fail("hub", "it does not take ADMIN_API_KEY", "npm run setup, or set ADMIN_API_KEY")];
      const told = reasons.map((reason): Outcome => {
        const [text, mend] = REASONS[reason] ?? [reason, "docs/operations.md"];
        return fail("hub", text, mend);
      });
      const off = date ? Math.abs(date.getTime() - now().getTime()) : undefined;
      return [
        ...(told.length > 0 ? told : [ok("hub", `version ${version}, ${store.backend}, bot ${bot}: ok`)]),
        off === undefined
          ? skipped("clock", "the hub names no date")
          : off > CLOCK_MS
            ? warn(
                "clock",
                `this machine's differs by ${Math.round(off / 1_000)} s from the hub's`,
                "set it by NTP",
              )
            : ok("clock", "as the hub's"),
        ...(work ? workChecks(work) : []),
        rate_limits && ALL_LIMITS.some((one) => !rate_limits.includes(one))
          ? warn(
              "rate limits",
              `off: ${ALL_LIMITS.filter((one) => !rate_limits.includes(one)).join(", ")}`,
              "put the [[ratelimits]] of wrangler.toml back, then npm run deploy",
            )
          : ok("rate limits", "all on"),
        ...(journal?.quarantined
          ? [
              warn(
                "journal",
                `${journal.quarantined} entries in quarantine`,
                "docs/operations.md says how to look at them",
              ),
            ]
          : []),
      ];
    },

    /** Adds somebody of the staff as an admin of the desk, or finds them. */
    async staff(email: string): Promise<Outcome> {
      const name = "desk user";
      const added = await call<Refused>(`${root}/api/users`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ email, name: email.split("@")[0], role: "admin" }),
      });
      if (added.status === 201) return ok(name, `${email} is an admin of the desk at ${root}/desk`);
      if (added.status === 409) return ok(name, `${email} is there; the desk is at ${root}/desk`);
      return refused(name, added);
    },

    /** Sends a message on the web channel as a customer, and waits for the bot. */
    async message(): Promise<Outcome> {
      const name = "test message";
      const post = (body: object, more: Record<string, string> = {}): RequestInit => ({
        method: "POST",
        headers: { "content-type": "application/json", ...headers, ...more },
        body: JSON.stringify(body),
      });
      const started = await call<Refused & { session_token?: string; session?: { session_id: string } }>(
        `${root}/session/start`,
        post({ channel: "web" }),
      );
      const { session_token: token, session } = started.body;
      if (!token || !session) return refused(name, started);
      const said = { external_id: randomUUID(), text: "Hello from npm run setup" };
      const { status, body } = await call<
        Refused & {
          replies?: { text: string }[];
          turn?: { code?: string; reason?: string } | null;
        }
      >(`${root}/webhooks/web?wait=10`, post(said, { "x-session-token": token }));
      // The shop's history shall not begin with a test.
      await call(`${root}/api/sessions/${session.session_id}`, { method: "DELETE", headers }).catch(() => {});
      if (status !== 200) return refused(name, { status, body });
      if (body.replies?.length)
        return ok(
          name,
          `the bot answered with ${body.replies.length === 1 ? "one message" : `${body.replies.length} messages`}`,
        );
      const { turn } = body;
      if (turn?.reason)
        return fail(
          name,
          `saved, but the bot failed: ${turn.reason} (${turn.code})`,
          "mend the bot; docs/bots.md",
        );
      return warn(name, "saved, but the bot said nothing within 10 s", "look at the bot; docs/bots.md");
    },
  };
}

function refused(
  name: string,
  { status, body }: { readonly status: number; readonly body: Refused },
): Outcome {
  const { code = String(status), message = "no readable answer" } = body.error ?? {};
  return fail(name, `${code}: ${message}`, "npm run doctor");
}

function workChecks(work: NonNullable<Health["work"]>): Outcome[] {
  const {
    open_turns,
    oldest_turn_age_s,
    open_deliveries,
    oldest_delivery_age_s,
    last_sweep_age_s: swept,
  } = work;
  const mend = "wrangler.toml needs [triggers] crons; npm run deploy";
  const look = "npm run trace -- --session <id>; GET /api/dead-letters";
  return [
    swept === undefined
      ? warn("cron", "no sweep has ended yet", "wait two minutes, then npm run doctor")
      : swept > SWEEP_LATE_S
        ? fail("cron", `the last sweep ended ${Math.round(swept / 60)} minutes ago`, mend)
        : ok("cron", `the last sweep ended ${Math.round(swept)} s ago`),
    open_turns > 0 && oldest_turn_age_s > UNANSWERED_S
      ? warn(
          "unanswered",
          `${open_turns} messages, the oldest for ${Math.round(oldest_turn_age_s / 60)} minutes`,
          look,
        )
      : ok("unanswered", open_turns === 0 ? "none" : `${open_turns} messages, none for long`),
    open_deliveries > 0 && oldest_delivery_age_s > UNANSWERED_S
      ? warn(
          "unsent",
          `${open_deliveries} replies, the oldest for ${Math.round(oldest_delivery_age_s / 60)} minutes`,
          look,
        )
      : ok("unsent", open_deliveries === 0 ? "none" : `${open_deliveries} replies, none for long`),
  ];
}
