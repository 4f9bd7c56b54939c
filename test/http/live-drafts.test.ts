import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Store } from "../../src/core/store.ts";
import type { DraftEvent, RoomEvent } from "../../src/http/live/frames.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { type FakeSocket, fakeRoom } from "../support/room.ts";

const ASKED = "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11";
const OTHER = "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a12";

let store: Store;
let session_id: string;

beforeEach(async () => {
  store = memoryStore({ sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: 0 });
  const visitor = { identities: { visitor_id: "v" }, channel: "web" };
  ({ session_id } = await store.sessions.start({ ...visitor, token_hash: "a" }, new Date()));
});
afterEach(() => {
  vi.useRealTimers();
});

const draft = (text: string, over: Partial<DraftEvent> = {}): RoomEvent => ({
  type: "draft",
  channel: "web",
  reply_to: ASKED,
  seq: 5,
  attempt: 1,
  text,
  ...over,
});
const known = (cursor = 5) => ({ ready: true, checked_at: Date.now(), cursor });

/** The drafts as a page has them, by the message that they answer, as docs/live.md tells pages to read them. */
function seen({ frames }: FakeSocket): Record<string, string> {
  const drafts: Record<string, string> = {};
  for (const frame of frames) {
    if (frame.type !== "draft") continue;
    drafts[frame.reply_to] = (drafts[frame.reply_to] ?? "").slice(0, frame.at) + frame.text;
    if (drafts[frame.reply_to] === "") delete drafts[frame.reply_to];
  }
  return drafts;
}

test("a device gets only what is new of a draft, and one that comes later the whole", async () => {
  const { join, publish } = fakeRoom(store);
  const first = join(session_id, "a", known());
  await publish(draft("Hel"));
  await publish(draft("Hello"));
  const late = join(session_id, "a", known());
  await publish(draft("Hello, A", { format: "markdown" }));
  await publish(draft("Hello, A"));
  expect(first.frames).toEqual([
    { type: "draft", channel: "web", reply_to: ASKED, at: 0, text: "Hel" },
    { type: "draft", channel: "web", reply_to: ASKED, at: 3, text: "lo" },
    { type: "draft", channel: "web", reply_to: ASKED, at: 5, text: ", A", format: "markdown" },
  ]);
  expect(late.frames).toMatchObject([{ at: 0, text: "Hello, A" }]);
});

test("a text that begins anew takes the place of the draft, and an empty one takes it away", async () => {
  const { join, publish } = fakeRoom(store);
  const device = join(session_id, "a", known());
  await publish(draft("I look it up"));
  await publish(draft("Your order"));
  expect(seen(device)).toEqual({ [ASKED]: "Your order" });
  await publish(draft(""));
  await publish(draft(""));
  expect(seen(device)).toEqual({});
  expect(device.frames).toHaveLength(3);
});

test("drafts of an earlier attempt, of an older message, and after the end of their own attempt are void", async () => {
  const { join, publish } = fakeRoom(store);
  const device = join(session_id, "a", known(9));
  await publish(draft("first try"));
  await publish(draft("second", { attempt: 2 }));
  await publish(draft("first try, late"), draft("", {}));
  expect(seen(device)).toEqual({ [ASKED]: "second" });
  await publish(draft("", { attempt: 2 }));
  await publish(draft("second, late", { attempt: 2 }));
  expect(seen(device)).toEqual({});
  await publish(draft("next", { reply_to: OTHER, seq: 7 }));
  await publish(draft("old", { attempt: 9 }));
  expect(seen(device)).toEqual({ [OTHER]: "next" });
  await publish(draft("newest", { seq: 9 }));
  expect(seen(device)).toEqual({ [ASKED]: "newest" });
});

test("a device gets a draft only after the message that it answers, and while its token counts as alive", async () => {
  const { join, publish } = fakeRoom(store);
  const behind = join(session_id, "a", known(4));
  const dead = join(session_id, "gone", { ready: true, checked_at: 0, cursor: 5 });
  await publish(draft("Hello"));
  expect([behind.frames, dead.frames]).toEqual([[], []]);
  expect(dead.closed).toBe(4003);
});

test("a draft whose Worker has died is taken away after half a minute without news", async () => {
  vi.useFakeTimers();
  const { join, publish } = fakeRoom(store);
  const device = join(session_id, "a", known());
  await publish(draft("Hello"));
  await vi.advanceTimersByTimeAsync(20_000);
  await publish(draft("Hello, A"));
  await vi.advanceTimersByTimeAsync(29_000);
  expect(seen(device)).toEqual({ [ASKED]: "Hello, A" });
  await vi.advanceTimersByTimeAsync(1_500);
  expect(seen(device)).toEqual({});
});
