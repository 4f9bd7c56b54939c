/** Measures how soon the desk opens with 100,000 stored conversations, and how soon a message of the web chat is there. */
import { loadavg } from "node:os";
import { VIEWS } from "../src/features/conversations/conversation.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { fillConversations } from "./lib/conversations.ts";
import { startDatabases } from "./lib/database.ts";
import { type Bench, ms, scaled, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";

const CONVERSATIONS = 100_000;
const ROUNDS = 30;
const AIM_OPEN_MS = 1_000;
const AIM_SEEN_MS = 150;
/** As the hub looks for changes, and the page reads what they name: src/features/conversations/list-routes.ts. */
const LOOK_MS = 75;
const CURSOR = "0".repeat(64);

export const desk: Bench = {
  name: "desk",
  async run(context) {
    const databases = await startDatabases(context.dir);
    try {
      const url = await databases.createHub("desk");
      const owner = databases.adminOf("desk");
      const calls = postgresCalls(url, { max: 4, timeoutMs: 60_000 });
      const store = sqlStore(calls.call, { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 });
      const { staff, conversations } = store.features!;
      const now = () => new Date();
      const email = "ana@shop.example";
      const { user_id } = await staff.add({ actor: "bench" }, { email, name: "Ana", role: "agent" }, now());
      await staff.signIn({ email }, CURSOR, now());
      const at = () => ({ staff: CURSOR, now: now() });
      const stored = scaled(context, CONVERSATIONS, 5_000);
      context.progress(`storing ${whole(stored)} conversations`);
      await fillConversations(owner, stored, user_id);

      const times = new Map<string, number[]>();
      const timed = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
        const began = performance.now();
        const result = await work();
        times.set(name, [...(times.get(name) ?? []), performance.now() - began]);
        return result;
      };
      const rounds = scaled(context, ROUNDS, 5);
      context.progress(`${rounds} rounds of everything that the page reads`);
      for (let i = 0; i < rounds; i++) {
        for (const view of VIEWS)
          await timed(`list ${view}`, () => conversations.list(at(), { view, limit: 50 }));
        await timed("search", () =>
          conversations.list(at(), { view: "all", q: `Customer ${i * 31 + 7}`, limit: 50 }),
        );
        await timed("open the page", async () => {
          await staff.who(CURSOR, now());
          await Promise.all([staff.users({ staff: CURSOR }, now()), conversations.cannedReplies(at())]);
          const { conversations: rows } = await conversations.list(at(), { view: "held", limit: 50 });
          const id = rows[i % rows.length]!.customer_key;
          await Promise.all([
            conversations.messages(at(), id, { limit: 50 }),
            conversations.get(at(), id),
            conversations.deadLetters(at(), id),
            conversations.changes(at()),
          ]);
        });
      }

      context.progress("messages of the web chat, until they are read at the desk");
      const { session_id } = await store.sessions.start(
        { identities: { visitor_id: "bench" }, channel: "web", token_hash: "1".repeat(64) },
        now(),
      );
      const [{ customer_key }] = await owner<[{ customer_key: string }]>`
        select customer_key from sessions where session_id = ${session_id}`;
      let { cursor } = await conversations.changes(at());
      let last = 0;
      for (let i = 0; i < rounds * 2; i++) {
        await new Promise((go) => setTimeout(go, Math.random() * LOOK_MS));
        const looking = (async () => {
          for (;;) {
            const seen = await conversations.changes(at(), cursor);
            if (seen.fresh) {
              cursor = seen.cursor;
              if (seen.conversations.includes(customer_key)) break;
            }
            await new Promise((go) => setTimeout(go, LOOK_MS));
          }
          const page = await conversations.messages(at(), customer_key, { after: last, limit: 200 });
          last = page.messages.at(-1)?.seq ?? last;
          return performance.now();
        })();
        await new Promise((go) => setTimeout(go, Math.random() * LOOK_MS));
        const began = performance.now();
        const content = { kind: "text" as const, text: `message ${i}` };
        const message = {
          channel: "web",
          external_id: `m${i}`,
          from: { session_id },
          address: {},
          content,
          wakes: false,
        };
        await store.conversations.receive([{ type: "message", message }], now());
        times.set("seen", [...(times.get("seen") ?? []), (await looking) - began]);
      }
      await calls.close();

      const of = (name: string) => times.get(name)!;
      const rows = [...times].map(([name, all]) => [name, ms(median(all)), ms(quantile(all, 0.95))]);
      const opened = quantile(of("open the page"), 0.95);
      const seen = median(of("seen"));
      return {
        tables: [
          { title: `With ${whole(stored)} stored conversations`, columns: ["", "median", "95 %"], rows },
        ],
        aims: [
          {
            aim: `the desk opens within ${ms(AIM_OPEN_MS)} (95 %)`,
            found: ms(opened),
            met: opened <= AIM_OPEN_MS,
          },
          {
            aim: `a message is there within ${ms(AIM_SEEN_MS)} (median)`,
            found: ms(seen),
            met: seen <= AIM_SEEN_MS,
          },
        ],
        notes: [
          "Everything that the page reads, from the hub's process, without the network and without drawing.",
          `Load at the end: ${loadavg()[0]!.toFixed(2)}`,
        ],
        figures: Object.fromEntries(times),
      };
    } finally {
      await databases.stop();
    }
  },
};
