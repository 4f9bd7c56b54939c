/** Measures how soon the desk opens with 100,000 stored conversations, and how soon a message of the web chat is there. */
import { loadavg } from "node:os";
import { VIEWS } from "../src/features/conversations/conversation.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { fillConversations } from "./lib/conversations.ts";
import { startDatabases } from "./lib/database.ts";
import { measureScreens } from "./lib/desk-screen.ts";
import { type Bench, ms, scaled, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";

const CONVERSATIONS = 100_000;
const ROUNDS = 30;
const AIM_OPEN_MS = 1_000;
const AIM_SEEN_MS = 150;
/** Between two messages: long enough that the hub looks for changes less often. */
const LONGEST_PAUSE_MS = 8_000;
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

      await calls.close();
      context.progress("the desk and the web chat in a browser");
      const screens = await measureScreens(
        url,
        { email },
        {
          opened: scaled(context, ROUNDS, 3) / 3,
          seen: scaled(context, ROUNDS, 5),
          pauseMs: () => Math.random() * LONGEST_PAUSE_MS,
        },
      );
      times.set("desk on the screen", [...screens.opened]);
      times.set("message on the screen", [...screens.seen]);

      const of = (name: string) => times.get(name)!;
      const rows = [...times].map(([name, all]) => [name, ms(median(all)), ms(quantile(all, 0.95))]);
      const opened = quantile(of("desk on the screen"), 0.95);
      const seen = median(of("message on the screen"));
      return {
        tables: [
          { title: `With ${whole(stored)} stored conversations`, columns: ["", "median", "95 %"], rows },
        ],
        aims: [
          {
            aim: `the desk is on the screen within ${ms(AIM_OPEN_MS)} (95 %)`,
            found: ms(opened),
            met: opened <= AIM_OPEN_MS,
          },
          {
            aim: `a message of the web chat is on the screen within ${ms(AIM_SEEN_MS)} (median)`,
            found: ms(seen),
            met: seen <= AIM_SEEN_MS,
          },
        ],
        notes: [
          "Lists, the search and `open the page` are what the page reads, from the hub's process, without the network and without drawing.",
          "On the screen: Chromium with the hub of `npm start` and direct Postgres. The desk: from its address, without a cache, to the first " +
            "conversation. A message: from Enter in the web chat to the frame at the desk that shows it; up to 8 s pass between two.",
          `Load at the end: ${loadavg()[0]!.toFixed(2)}`,
        ],
        figures: Object.fromEntries(times),
      };
    } finally {
      await databases.stop();
    }
  },
};
