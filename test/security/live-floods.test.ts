import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Store } from "../../src/core/store.ts";
import { CLOSE } from "../../src/http/live/frames.ts";
import { JOINING_HEADER } from "../../src/http/live/room.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { begin, type TestHub, testHub } from "../support/http.ts";
import { call } from "../support/people.ts";
import { FakePair, FakeResponse, fakeRoom } from "../support/room.ts";

const WEEK_MS = 7 * 86_400_000;
const MEBIBYTE = 1024 * 1024;
const LONG = "x".repeat(32_000);

let store: Store;
let session_id: string;
const looks = () => vi.mocked(store.sessions.messages).mock.calls.length;

beforeEach(async () => {
  const memory = memoryStore({ sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: 0 });
  store = { ...memory, sessions: { ...memory.sessions, messages: vi.fn(memory.sessions.messages) } };
  const visitor = { identities: { visitor_id: "v" }, channel: "web" };
  ({ session_id } = await store.sessions.start({ ...visitor, token_hash: "a" }, new Date()));
  for (const token_hash of ["b", "c", "d", "e"])
    await store.sessions.start({ ...visitor, token_hash }, new Date());
});

async function write(count: number, text: string): Promise<void> {
  for (let i = 0; i < count; i++)
    await store.sessions.update({ token_hash: "a" }, { message: { text, role: "user" } }, new Date());
}

/** How many characters a device was sent. */
const carried = ({ frames }: { frames: any[] }) =>
  frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);

describe("a device that opens connections without end", () => {
  async function connect({ room, context }: ReturnType<typeof fakeRoom>, token_hash: string) {
    vi.stubGlobal("WebSocketPair", FakePair);
    vi.stubGlobal("Response", FakeResponse);
    const guest = { session_id, token_hash, after: 0, asked: true };
    await room.fetch(new Request("http://room/", { headers: { [JOINING_HEADER]: JSON.stringify(guest) } }));
    vi.unstubAllGlobals();
    return context.getWebSockets(token_hash).at(-1)!;
  }

  test("closes its own, and no other device's", async () => {
    const played = fakeRoom(store);
    const others = [await connect(played, "b"), await connect(played, "c")];
    const own = [];
    for (let i = 0; i < 100; i++) own.push(await connect(played, "a"));
    expect(others.map(({ closed }) => closed)).toEqual([undefined, undefined]);
    expect(own.filter(({ closed }) => closed === undefined)).toEqual(own.slice(-8));
    expect(own[0]!.closed).toBe(CLOSE.crowded);
  });

  test("has no more than 32 with all the tokens of its session together", async () => {
    const played = fakeRoom(store);
    for (let i = 0; i < 50; i++) await connect(played, "abcde"[i % 5]!);
    const open = played.context.getWebSockets().filter(({ closed }) => closed === undefined);
    expect(open).toHaveLength(32);
  });
});

describe("a device that does not read", () => {
  test("is kept 2 MiB at most of a long history, and finds the rest by its cursor", async () => {
    await write(300, LONG);
    const { join, publish } = fakeRoom(store);
    const seen: number[] = [];
    for (let connections = 1, cursor = 0; ; connections++) {
      const device = join(session_id, "a", { cursor });
      await publish({ type: "messages" });
      expect(carried(device)).toBeLessThan(2 * MEBIBYTE + 2 * LONG.length);
      seen.push(...device.frames.flatMap(({ message }) => message?.seq ?? []));
      if (device.closed === undefined) break;
      expect([device.closed, connections < 10]).toEqual([CLOSE.full, true]);
      cursor = Number(device.frames.at(-1).cursor);
    }
    const page = await store.sessions.messages({ session_id }, 0, 1_000, new Date());
    expect(seen).toEqual(page.messages.map(({ seq }) => seq));
  });

  test("is kept no more of what comes while it is connected, either", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", { ready: true, checked_at: Date.now() });
    for (let i = 0; i < 200; i++) {
      await write(1, LONG);
      await publish({ type: "messages" });
    }
    expect(device.closed).toBe(CLOSE.full);
    expect(carried(device)).toBeLessThan(2 * MEBIBYTE + 2 * LONG.length);
  });

  test("costs no reads once it is closed", async () => {
    await write(1_000, LONG);
    const { join, publish } = fakeRoom(store);
    join(session_id, "a");
    await publish({ type: "messages" });
    expect(looks()).toBeLessThanOrEqual(2);
  });
});

describe("devices that sit there", () => {
  test("cost one look a device at a check, and none between", async () => {
    const { room, join, context } = fakeRoom(store);
    for (let i = 0; i < 32; i++) join(session_id, "abcd"[i % 4]!);
    await room.alarm();
    expect(looks()).toBe(4);
    expect(context.alarm! - Date.now()).toBeGreaterThan(200_000);
  });

  test("and talk are let go", () => {
    const { room, join } = fakeRoom(store);
    const [chatty, other] = [join(session_id, "a"), join(session_id, "b")];
    for (let i = 0; i < 101; i++) room.webSocketMessage(chatty as never, "{}");
    expect([chatty.closed, other.closed]).toEqual([CLOSE.tooMuch, undefined]);
  });
});

describe("upgrades with tokens that open nothing", () => {
  const upgrade = (token: string) => ({
    headers: { upgrade: "websocket", "sec-websocket-protocol": `hub.v1, ${token}` },
  });

  /** A hub whose rooms count how often somebody came to one. */
  function hubWithRooms(): { hub: TestHub; entered: () => number } {
    let entered = 0;
    const room = { fetch: async () => void entered++ };
    const rooms = { idFromName: (name: string) => name, get: () => room };
    return { hub: testHub({}, { rooms: rooms as never }), entered: () => entered };
  }

  test("wake no room and write nothing, a thousand of them", async () => {
    const { hub, entered } = hubWithRooms();
    const { token, bearer } = await begin(hub);
    await call(hub, "/session/end", { method: "POST", headers: bearer });
    const tokens = Array.from({ length: 999 }, (_, i) => `hst_made-up-${i}`);
    for (const one of [token, ...tokens])
      expect((await hub.request("/session/live", upgrade(one))).status).toBe(404);
    expect(entered()).toBe(0);
  });
});
