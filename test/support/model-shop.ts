import type sqlDriver from "postgres";
import llm from "../../src/bots/llm/index.ts";
import type { Hub } from "../../src/core/hub.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import type { SqlCall } from "../../src/stores/sql.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { begin, post, type TestHub, testHub } from "./http.ts";
import type { ModelServer } from "./model-server.ts";

export const WEEK_MS = 7 * 86_400_000;
const WEB = { "x-api-key": "web-key" };

/** Settings for the bot with a model on this machine. */
export const settingsFor = (model: Pick<ModelServer, "url">) => ({
  LLM_BASE_URL: model.url,
  LLM_MODEL: "test-model",
});

/** A customer's session on the shop's page. */
export interface Visitor {
  readonly id: string;
  readonly bearer: { readonly authorization: string };
  /** Says something, and returns what the hub has answered once it is idle. */
  say(text: string): Promise<string[]>;
  /** Chooses the language of the conversation. */
  choose(language: string): Promise<void>;
  /** What the page shows. */
  texts(): Promise<string[]>;
}

export interface ModelShop extends TestHub {
  visitor(of?: object): Promise<Visitor>;
  /** Runs the sweep, after the leases and waits of all turns. */
  later(minutes?: number): Promise<void>;
  events(name: string): Readonly<Record<string, unknown>>[];
}

/** A hub over Postgres whose bot is a model. */
export function modelShop(
  call: SqlCall,
  env: Readonly<Record<string, string>>,
  parts: Partial<Hub> = {},
): ModelShop {
  const bot = llm(env);
  const store = sqlStore(call, { sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: bot.history, batch: true });
  const hub = testHub({ store, bot, ...parts }, { backends: { store: "postgres", cache: "none" } });
  let said = 0;
  return {
    ...hub,
    async visitor(of = {}) {
      const { id, bearer } = await begin(hub, { channel: "web", ...of }, WEB);
      const texts = async () => {
        const page = await hub.request("/session/messages?limit=200", { headers: bearer });
        const { messages } = (await page.json()) as any;
        return messages.map((one: any) => one.text as string);
      };
      return {
        id,
        bearer,
        texts,
        async choose(language) {
          await hub.request("/api/chat/language", post({ language }, bearer));
        },
        async say(text) {
          const before = (await texts()).length;
          const body = { external_id: `m${++said}-${id}`, text };
          const answer = await hub.request("/webhooks/web", post(body, bearer));
          if (!answer.ok) throw new Error(`the hub answered ${answer.status}: ${await answer.text()}`);
          await hub.idle();
          return (await texts()).slice(before + 1);
        },
      };
    },
    async later(minutes = 2) {
      hub.clock.now = new Date(hub.clock.now.getTime() + minutes * 60_000);
      await sweep(hub.hub, { batch: 20, batches: 5, sessions: 100, retentionMs: WEEK_MS });
      await hub.idle();
    },
    events: (name) => hub.lines.filter(({ event }) => event === name).map(({ fields }) => fields),
  };
}

/** The marks of sessions for a person. */
export async function handoffs(owner: sqlDriver.Sql): Promise<any[]> {
  const rows = await owner`select metadata -> 'handoff' as handoff from sessions where metadata ? 'handoff'`;
  return rows.map(({ handoff }) => handoff);
}
