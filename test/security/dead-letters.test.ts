import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Store } from "../../src/core/store.ts";
import { sweep } from "../../src/core/sweep/sweep.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { begin, post, testHub } from "../support/http.ts";
import { call, keys } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const DAY_MS = 86_400_000;
const SETTINGS = { sessionTtlMs: 7 * DAY_MS, leaseMs: 60_000, history: 0 };
const BUDGET = { batch: 50, batches: 5, sessions: 500, retentionMs: 30 * DAY_MS };

let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 4, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

const STORES: [string, () => Store][] = [
  ["memory", () => memoryStore(SETTINGS)],
  ["Postgres", () => sqlStore(direct.call, SETTINGS)],
];

describe.each(STORES)("messages that no bot takes, over %s", (_, store) => {
  const deaf: Bot = {
    history: 0,
    reply: async () => {
      throw new HubError("rejected", "no", { reason: "deaf" });
    },
  };

  test("are listed in bounded pages, and are gone after thirty days though their session lives", async () => {
    const hub = testHub({ bot: deaf, store: store() });
    const { bearer } = await begin(hub);
    const list = async (query = "") =>
      (await call(hub, `/api/dead-letters${query}`, { headers: keys.admin })).body;
    for (let i = 0; i < 210; i++)
      await call(hub, "/webhooks/web", post({ external_id: `${i}`, text: "x".repeat(2_000) }, bearer));
    expect((await call(hub, "/api/dead-letters?limit=201", { headers: keys.admin })).status).toBe(400);
    const page = await list("?limit=200");
    expect([page.dead_letters.length, page.more]).toEqual([200, true]);
    expect(JSON.stringify(page)).not.toContain("xx");
    const rest = await list(`?limit=200&after=${page.cursor}`);
    expect([rest.dead_letters.length, rest.more]).toEqual([10, false]);

    for (let day = 0; day < 30; day += 5) {
      hub.clock.now = new Date(hub.clock.now.getTime() + 5 * DAY_MS);
      expect((await call(hub, "/session/update", post({ data: { day } }, bearer))).status).toBe(200);
      if (day < 25) await sweep(hub.hub, BUDGET);
    }
    expect((await list("?limit=200")).dead_letters).toHaveLength(200);
    hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
    await sweep(hub.hub, BUDGET);
    expect(await list()).toEqual({ dead_letters: [], cursor: null, more: false });
    const messages = (await call(hub, "/session/messages?limit=200", { headers: bearer })).body;
    expect(messages.messages).toHaveLength(200);
  });

  test("are not multiplied by sending them again, nor by asking for another try", async () => {
    const hub = testHub({ bot: deaf, store: store() });
    const { bearer, id } = await begin(hub);
    const say = () => call(hub, "/webhooks/web", post({ external_id: "one", text: "Hello" }, bearer));
    const letters = async () =>
      (await call(hub, `/api/dead-letters?session_id=${id}`, { headers: keys.admin })).body.dead_letters;
    await say();
    const [first] = await letters();
    for (let i = 0; i < 50; i++) await say();
    for (let i = 0; i < 20; i++)
      await call(hub, `/api/dead-letters/${first.id}/retry`, { method: "POST", headers: keys.admin });
    expect((await letters()).map(({ id }: { id: string }) => id)).toEqual([first.id]);
    for (const headers of [bearer, keys.web, keys.kiosk])
      expect([401, 403]).toContain(
        (await call(hub, `/api/dead-letters/${first.id}/retry`, { method: "POST", headers })).status,
      );
  });
});
