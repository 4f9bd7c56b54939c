import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { backoffMs } from "../../src/core/answer/backoff.ts";
import { HubError } from "../../src/core/errors.ts";
import { withTimeout } from "../../src/core/timeout.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("the wait before another try is random and at most 2 s, 4 s, 8 s, ... 15 minutes", () => {
  expect([1, 2, 3, 4].map((attempt) => backoffMs(attempt, () => 1))).toEqual([2_000, 4_000, 8_000, 16_000]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, luck) => {
        const wait = backoffMs(attempt, () => luck);
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
        expect(wait).toBeLessThanOrEqual(Math.min(15 * 60_000, 2_000 * 2 ** (attempt - 1)));
      },
    ),
  );
});

test("work in time passes its result and its own error on", async () => {
  await expect(withTimeout(1_000, "late", async () => "done")).resolves.toBe("done");
  const own = new HubError("rejected", "no");
  await expect(withTimeout(1_000, "late", () => Promise.reject(own))).rejects.toBe(own);
  await expect(
    withTimeout(1_000, "late", () => {
      throw own;
    }),
  ).rejects.toBe(own);
});

test("work that ignores its signal is given up at the time limit, as unavailable with the reason", async () => {
  vi.useFakeTimers();
  const outcome = expect(withTimeout(50, "late", () => new Promise(() => {}))).rejects.toMatchObject({
    name: "HubError",
    code: "unavailable",
    reason: "late",
  });
  await vi.advanceTimersByTimeAsync(50);
  await outcome;
  expect(vi.getTimerCount()).toBe(0);
});

test("work that uses its signal is aborted, and its late error is ignored", async () => {
  vi.useFakeTimers();
  let stopped: unknown;
  const outcome = expect(
    withTimeout(50, "late", async (signal) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      stopped = signal.reason;
      throw new Error("aborted");
    }),
  ).rejects.toMatchObject({ reason: "late" });
  await vi.advanceTimersByTimeAsync(60);
  await outcome;
  expect(stopped).toMatchObject({ code: "unavailable", reason: "late" });
});

test("work within its time leaves no timer and does not abort its signal", async () => {
  vi.useFakeTimers();
  let signal: AbortSignal | undefined;
  await withTimeout(50, "late", async (given) => {
    signal = given;
  });
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(100);
  expect(signal?.aborted).toBe(false);
});
