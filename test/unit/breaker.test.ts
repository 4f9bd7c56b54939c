import { beforeEach, describe, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { circuitBreaker } from "../../src/stores/breaker.ts";
import type { SqlCall } from "../../src/stores/sql.ts";

let clock: number;
let calls: number;
let fails: HubError | Error | undefined;
let lines: unknown[][];

beforeEach(() => {
  clock = 1_000_000;
  calls = 0;
  fails = undefined;
  lines = [];
});

const error = (reason: string) => new HubError("unavailable", "the database did not answer", { reason });
const unreachable = error("unreachable");

/** A breaker around a database that fails as `fails` decides. `random` decides how long it stays open. */
function broken(random = 0) {
  const breaker = circuitBreaker({
    log: (...line) => lines.push(line),
    now: () => clock,
    random: () => random,
  });
  const call: SqlCall = async () => {
    calls++;
    if (fails) throw fails;
    return { ok: true };
  };
  return { ...breaker, ask: () => breaker.wrap(call)("hub_receive", {}) };
}

async function failTimes(breaker: ReturnType<typeof broken>, times: number, as: Error = unreachable) {
  fails = as;
  for (let i = 0; i < times; i++) await expect(breaker.ask()).rejects.toBe(as);
}

describe("the circuit breaker", () => {
  test("opens after three calls in a row without an answer, and not before", async () => {
    const breaker = broken();
    await failTimes(breaker, 2);
    fails = undefined;
    await breaker.ask();
    await failTimes(breaker, 2);
    expect(breaker.state()).toBe("closed");
    await failTimes(breaker, 1);
    expect(breaker.state()).toBe("open");
  });

  test("makes three attempts for fifty calls, and tells the others when to try again", async () => {
    const breaker = broken(0.5);
    fails = unreachable;
    const refusals = await Promise.all(Array.from({ length: 3 }, () => breaker.ask().catch((e) => e)));
    for (let i = 0; i < 47; i++) refusals.push(await breaker.ask().catch((e) => e));
    expect(calls).toBe(3);
    expect(refusals.at(-1)).toMatchObject({
      code: "unavailable",
      reason: "breaker_open",
      retryAfterMs: 1_500,
    });
  });

  test.for([0, 0.5, 0.999])("lets one call try after one to two seconds (%d)", async (random) => {
    const breaker = broken(random);
    await failTimes(breaker, 3);
    clock += 1_000 * (1 + random) - 1;
    expect(breaker.state()).toBe("open");
    clock += 1;
    expect(breaker.state()).toBe("half_open");
    fails = undefined;
    await breaker.ask();
    expect(breaker.state()).toBe("closed");
    expect(calls).toBe(4);
  });

  test("lets only one call try, and opens again when that one fails", async () => {
    const breaker = broken();
    await failTimes(breaker, 3);
    clock += 1_000;
    const [tried, ...refused] = await Promise.allSettled([breaker.ask(), breaker.ask(), breaker.ask()]);
    expect(tried).toEqual({ status: "rejected", reason: unreachable });
    for (const one of refused) expect(one).toMatchObject({ reason: { reason: "breaker_open" } });
    expect([calls, breaker.state()]).toEqual([4, "open"]);
    clock += 999;
    expect(breaker.state()).toBe("open");
    clock += 1;
    expect(breaker.state()).toBe("half_open");
  });

  test("lets another call try when the trying one never ended", async () => {
    const breaker = broken();
    await failTimes(breaker, 3);
    clock += 1_000;
    void breaker.wrap(() => new Promise(() => {}))("hub_receive", {});
    expect(breaker.state()).toBe("open");
    clock += 6_000;
    fails = undefined;
    await breaker.ask();
    expect(breaker.state()).toBe("closed");
  });

  test("logs once that it opens and once that it closes", async () => {
    const breaker = broken();
    await failTimes(breaker, 3);
    for (let i = 0; i < 5; i++) {
      clock += 2_000;
      await breaker.ask().catch(() => {});
      await breaker.ask().catch(() => {});
    }
    clock += 2_000;
    fails = undefined;
    await breaker.ask();
    await breaker.ask();
    expect(lines).toEqual([
      ["warn", "store.breaker_open", { code: "unavailable", reason: "unreachable" }],
      ["info", "store.breaker_closed", {}],
    ]);
  });

  test.for([
    "unreachable",
    "store_timeout",
    "unknown",
    "ECONNREFUSED",
    "CONNECTION_CLOSED",
    "CONNECT_TIMEOUT",
    "08006",
    "53300",
    "57014",
    "57P01",
    "57P03",
    "PGRST000",
    "PGRST003",
    "http_503",
    "http_429",
  ])("takes %s for a database that is not there", async (reason) => {
    const breaker = broken();
    await failTimes(breaker, 3, error(reason));
    expect(breaker.state()).toBe("open");
  });

  test.for(["23505", "40001", "40P01", "22P05", "42883", "P0001", "PGRST202", "http_401"])(
    "takes %s for an answer",
    async (reason) => {
      const breaker = broken();
      await failTimes(breaker, 2);
      await failTimes(breaker, 9, error(reason));
      expect(breaker.state()).toBe("closed");
      await failTimes(breaker, 2);
      expect(breaker.state()).toBe("closed");
    },
  );

  test("ignores errors that are bugs of the hub", async () => {
    const breaker = broken();
    await failTimes(breaker, 9, new TypeError("ours"));
    expect(breaker.state()).toBe("closed");
  });
});
