import { expect, test, vi } from "vitest";
import { DRAFT_CHARACTERS, openDraft } from "../../src/core/answer/draft.ts";
import type { Turn } from "../../src/core/answer/turn.ts";
import { HubError } from "../../src/core/errors.ts";
import type { Hub } from "../../src/core/hub.ts";
import type { LiveEvent } from "../../src/core/live.ts";

const turn = {
  turn_id: "turn",
  attempt: 2,
  channel: "telegram",
  address: { chat_id: "7" },
  session: { session_id: "session" },
  message: { message_id: "asked", seq: 5 },
} as unknown as Turn;

/** A draft over a channel whose calls the test ends, with a clock of the test. */
function stage(showDraft?: (text: string) => Promise<void>) {
  vi.useFakeTimers();
  const live: Extract<LiveEvent, { type: "draft" }>[] = [];
  const calls: string[] = [];
  const lines: unknown[] = [];
  const channel = showDraft && {
    async showDraft(_to: unknown, { text }: { text: string }) {
      calls.push(text);
      await showDraft(text);
    },
  };
  const hub = {
    channels: { telegram: channel ?? {} },
    live: { publish: (_: string, event: LiveEvent) => void live.push(event as (typeof live)[number]) },
    sleep: (ms: number) => new Promise((later) => setTimeout(later, ms)),
    log: (...line: unknown[]) => void lines.push(line),
  } as unknown as Hub;
  const spoke = vi.fn();
  return {
    draft: openDraft(hub, turn, spoke),
    live,
    calls,
    lines,
    spoke,
    texts: () => live.map(({ text }) => text),
  };
}
const ms = (count: number) => vi.advanceTimersByTimeAsync(count);

test("connected devices see the newest text at most five times a second, the first one at once", async () => {
  const { draft, live, texts } = stage();
  for (const text of ["a", "ab", "abc"]) draft.show(text, "markdown");
  expect(texts()).toEqual(["a"]);
  await ms(199);
  expect(texts()).toEqual(["a"]);
  await ms(1);
  expect(texts()).toEqual(["a", "abc"]);
  await ms(5_000);
  draft.show("abcd");
  expect(texts()).toEqual(["a", "abc", "abcd"]);
  expect(live[1]).toEqual({
    type: "draft",
    channel: "telegram",
    reply_to: "asked",
    seq: 5,
    attempt: 2,
    text: "abc",
    format: "markdown",
  });
});

test("a platform gets a draft a second, none of a short answer, and none after the end", async () => {
  const { draft, calls, spoke } = stage(async () => {});
  draft.show("short");
  await ms(900);
  await draft.stop();
  await ms(5_000);
  expect(calls).toEqual([]);
  const long = stage(async () => {});
  for (let i = 1; i <= 35; i++) {
    long.draft.show("x".repeat(i));
    await ms(100);
  }
  expect(long.calls.map(({ length }) => length)).toEqual([10, 20, 30].map((n) => expect.closeTo(n, -1)));
  expect(long.spoke).toHaveBeenCalledTimes(3);
  await long.draft.stop();
  long.draft.show("late");
  await ms(5_000);
  expect(long.calls).toHaveLength(3);
  expect(spoke).not.toHaveBeenCalled();
});

test("the end waits for a call that is on its way, so that no draft comes after the answer", async () => {
  const gate = Promise.withResolvers<void>();
  const { draft, calls } = stage(() => gate.promise);
  draft.show("slow");
  await ms(1_000);
  expect(calls).toEqual(["slow"]);
  let hasEnded = false;
  const stopped = draft.stop().then(() => {
    hasEnded = true;
  });
  await ms(500);
  expect(hasEnded).toBe(false);
  gate.resolve();
  await stopped;
  const stuck = stage(() => new Promise(() => {}));
  stuck.draft.show("stuck");
  await ms(1_000);
  const late = stuck.draft.stop();
  await ms(3_000);
  await late;
});

test("a platform that refuses a draft gets no more of them, and is not asked again", async () => {
  const { draft, calls, lines, texts } = stage(async () => {
    throw new HubError("throttled", "wait", { reason: "429", retryAfterMs: 5_000 });
  });
  for (let i = 1; i <= 50; i++) {
    draft.show("x".repeat(i));
    await ms(100);
  }
  await draft.stop();
  await draft.withdraw(true);
  expect(calls).toHaveLength(1);
  expect(lines).toMatchObject([["warn", "draft.failed", { reason: "429" }]]);
  expect(texts().at(-1)).toBe("");
});

test("what was shown is taken back; nothing is taken back that was not shown", async () => {
  const silent = stage(async () => {});
  silent.draft.show(" \n");
  await silent.draft.stop();
  await silent.draft.withdraw(true);
  expect([silent.live, silent.calls]).toEqual([[], []]);
  const { draft, calls, texts } = stage(async () => {});
  draft.show("half");
  await ms(1_500);
  await draft.stop();
  await draft.withdraw(true);
  expect(texts()).toEqual(["half", ""]);
  expect(calls).toEqual(["half", ""]);
});

test("a draft is never longer than the limit, and ends with a whole character", async () => {
  const { draft, texts } = stage();
  draft.show("ab\ud83d");
  await ms(200);
  draft.show("ab👋");
  await ms(200);
  draft.show("x".repeat(DRAFT_CHARACTERS + 10));
  await ms(200);
  expect(texts().map(({ length }) => length)).toEqual([2, 4, DRAFT_CHARACTERS]);
});
