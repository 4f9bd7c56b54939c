import { afterAll, beforeAll, expect, test } from "vitest";
import type { Store } from "../../src/core/store.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { post, testHub } from "../support/http.ts";
import { call, keys, onWhatsApp } from "../support/people.ts";
import { createDatabase } from "../support/stack.ts";

const SETTINGS = { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 };
const KNOWN = "+4915112340001";

let direct: PostgresCalls;
beforeAll(async () => {
  direct = postgresCalls((await createDatabase()).url, { max: 4, timeoutMs: 30_000 });
});
afterAll(() => direct.close());

const STORES: [string, () => Store][] = [
  ["memory", () => memoryStore(SETTINGS)],
  ["Postgres", () => sqlStore(direct.call, SETTINGS)],
];

test.for(STORES)(
  "a web key that tries numbers is seen in the metrics, by its name, over %s",
  async ([, store]) => {
    const hub = testHub({ store: store() });
    await onWhatsApp(hub, KNOWN, "Hello");
    const lookUp = (phone: string, key = keys.web) => call(hub, "/session/restore", post({ phone }, key));
    const seen = async () => {
      const text = await (await hub.request("/metrics", { headers: keys.admin })).text();
      await hub.idle();
      const lines = [...text.matchAll(/^hub_lookups_total\{key="([^"]+)",outcome="(\w+)"\} (\d+)$/gm)];
      return lines
        .filter(([, , , count]) => count !== "0")
        .map(([, key, outcome, count]) => [key, outcome, Number(count)]);
    };
    expect(await seen()).toEqual([]);
    expect((await lookUp(KNOWN)).status).toBe(200);
    for (let i = 0; i < 100; i++)
      expect((await lookUp(`+49151${20_000_000 + i}`)).code).toBe("session_not_found");
    const counts = await seen();
    expect(counts).toEqual([
      [expect.stringMatching(/^web:[0-9a-f]{8}$/), "found", 1],
      [counts[0]![0], "none", 100],
    ]);
    const names = hub.lines
      .filter(({ fields }) => fields.lookup === "none")
      .map(({ fields }) => fields.actor);
    expect(new Set(names)).toEqual(new Set([counts[0]![0]]));
    expect(JSON.stringify(hub.lines)).not.toMatch(/49151/);
  },
);
