import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import type { Store } from "../../src/core/store.ts";
import type { RoomEvent } from "../../src/http/live/frames.ts";
import { JOINING_HEADER } from "../../src/http/live/room.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { FakePair, FakeResponse, fakeRoom } from "../support/room.ts";

const WEEK_MS = 7 * 86_400_000;

let store: Store;
let session_id: string;
/** What the store says instead of answering. */
let fault: HubError | undefined;

beforeEach(async () => {
  const memory = memoryStore({ sessionTtlMs: WEEK_MS, leaseMs: 60_000, history: 0 });
  fault = undefined;
  const sessions = {
    ...memory.sessions,
    messages: vi.fn(async (...call: Parameters<Store["sessions"]["messages"]>) => {
      if (fault) throw fault;
      return memory.sessions.messages(...call);
    }),
  };
  store = { ...memory, sessions };
  const visitor = { identities: { visitor_id: "v" }, channel: "web" };
  ({ session_id } = await sessions.start({ ...visitor, token_hash: "a" }, new Date()));
  await sessions.start({ ...visitor, token_hash: "b" }, new Date());
});

afterEach(() => {
  vi.useRealTimers();
});

async function write(text: string): Promise<void> {
  await store.sessions.update({ token_hash: "a" }, { message: { text, role: "user" } }, new Date());
}

const known = () => ({ ready: true, checked_at: Date.now() });
function waitAMinute(): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_000 });
}

const looks = () => vi.mocked(store.sessions.messages).mock.calls.length;
const textsOf = ({ frames }: { frames: any[] }) => frames.flatMap(({ message }) => message?.text ?? []);

describe("a room", () => {
  test("makes no store call without a device", async () => {
    const { publish } = fakeRoom(store);
    await publish({ type: "messages" });
    expect(looks()).toBe(0);
  });

  test("reads once for all its devices, and once for many pokes", async () => {
    const { join, publish } = fakeRoom(store);
    const devices = [join(session_id, "a", known()), join(session_id, "b", known())];
    await write("one");
    await Promise.all(Array.from({ length: 50 }, () => publish({ type: "messages" })));
    expect(looks()).toBeLessThanOrEqual(2);
    for (const device of devices) expect(textsOf(device)).toEqual(["one"]);
  });

  test("tries again by alarm, at growing intervals, while the store does not answer", async () => {
    const lines: unknown[][] = [];
    const { room, join, publish, context } = fakeRoom(store, (...line) => void lines.push(line));
    const device = join(session_id, "a", known());
    await write("one");
    fault = new HubError("unavailable", "the database did not answer", { reason: "57P01" });
    const waits: number[] = [];
    await publish({ type: "messages" });
    for (let i = 0; i < 8; i++) {
      waits.push(Math.round((context.alarm! - Date.now()) / 1_000));
      await room.alarm();
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    expect(lines[0]).toEqual([
      "warn",
      "live.look_failed",
      { session_id: "the session", code: "unavailable", reason: "57P01" },
    ]);
    expect([device.closed, device.frames]).toEqual([undefined, []]);
    fault = undefined;
    await room.alarm();
    expect(textsOf(device)).toEqual(["one"]);
    expect(context.alarm! - Date.now()).toBeGreaterThan(200_000);
  });

  test("finds by alarm messages and ended tokens that no call reported", async () => {
    const { room, join, context } = fakeRoom(store);
    const devices = [join(session_id, "a"), join(session_id, "b")];
    await store.sessions.signOut("b", new Date());
    await write("unannounced");
    await room.alarm();
    expect(textsOf(devices[0]!)).toEqual(["unannounced"]);
    expect([devices[0]!.closed, devices[1]!.closed]).toEqual([undefined, 4003]);
    expect(textsOf(devices[1]!)).toEqual([]);
    await store.sessions.end("a", new Date());
    waitAMinute();
    await room.alarm();
    expect(devices[0]!.closed).toBe(4003);
    context.alarm = null;
    await room.alarm();
    expect(context.alarm).toBeNull();
  });

  test("sets its alarm from the first device on", async () => {
    vi.stubGlobal("WebSocketPair", FakePair);
    vi.stubGlobal("Response", FakeResponse);
    const { room, context } = fakeRoom(store);
    const headers = {
      [JOINING_HEADER]: JSON.stringify({ session_id, token_hash: "a", after: 0, asked: true }),
    };
    expect(await room.fetch(new Request("http://room/", { headers }))).toMatchObject({
      status: 101,
      headers: { "Sec-WebSocket-Protocol": "hub.v1" },
    });
    vi.unstubAllGlobals();
    await vi.waitFor(() => expect(context.alarm).not.toBeNull());
  });

  test("closes a device of a session that has merged, even if no call reported it", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", { since: 1 });
    await publish({ type: "messages" });
    expect(device.frames).toMatchObject([{ type: "ready", epoch: expect.stringContaining(session_id) }]);
    const stranger = { identities: { telegram_chat_id: "7" }, channel: "telegram", token_hash: "c" };
    await store.sessions.start(stranger, new Date());
    await store.sessions.start(
      { identities: { visitor_id: "v", telegram_chat_id: "7" }, channel: "web", token_hash: "d" },
      new Date(),
    );
    await publish({ type: "messages" });
    expect(device.closed).toBe(4001);
  });

  test("sends nothing to a device whose token ended a while ago, even if no call reported it", async () => {
    const { join, publish } = fakeRoom(store);
    const [alive, dead] = [join(session_id, "a", known()), join(session_id, "b", known())];
    await store.sessions.signOut("b", new Date());
    waitAMinute();
    await publish({ type: "status", message_id: "m", status: "sent" });
    expect([alive.frames.length, alive.closed]).toEqual([1, undefined]);
    expect([dead.frames.length, dead.closed]).toEqual([0, 4003]);
  });

  test("sends only typing while it cannot check the tokens", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", known());
    waitAMinute();
    fault = new HubError("unavailable", "the database did not answer");
    await publish(
      { type: "typing", channel: "web", seq: 0 },
      { type: "status", message_id: "m", status: "sent" },
    );
    expect(device.frames).toEqual([{ type: "typing", channel: "web" }]);
  });

  test("closes a device at once, also during a send", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", known());
    await write("one");
    await publish({ type: "messages" }, { type: "closed", token_hash: "a" });
    expect([device.closed, device.frames]).toEqual([4003, []]);
  });

  test("sends typing after the message it is about, and not after its reply", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", known());
    await write("one");
    const [one] = (await store.sessions.messages({ session_id }, 0, 1, new Date())).messages;
    const typing = { type: "typing", channel: "web", seq: one!.seq } as const;
    await publish(typing, { type: "messages" });
    expect(device.frames.map(({ type }) => type)).toEqual(["message", "typing"]);
    expect(device.frames[1]).toEqual({ type: "typing", channel: "web" });
    await publish(typing);
    expect(device.frames).toHaveLength(3);
    const late = join(session_id, "a", known());
    await write("two");
    await publish(typing);
    expect(late.frames.map(({ type }) => type)).toEqual(["message", "message"]);
  });

  test("sends the failure of a turn", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", known());
    const turn = { state: "retrying", attempt: 1, code: "unavailable", reason: "bot_http_500" } as const;
    await publish({ type: "turn", message_id: "m", turn });
    expect(device.frames).toEqual([{ type: "turn", message_id: "m", turn }]);
  });

  test("closes a connection that was accepted while its device signed out", async () => {
    const { join, publish } = fakeRoom(store);
    await store.sessions.signOut("b", new Date());
    const late = join(session_id, "b");
    await publish({ type: "messages" });
    expect([late.closed, late.frames]).toEqual([4003, []]);
  });

  test("redirects devices when their session was merged into another", async () => {
    const { join, publish } = fakeRoom(store);
    const devices = [join("another", "a"), join("another", "b", known())];
    await publish({ type: "messages" });
    expect(devices[0]!.closed).toBe(4001);
    expect(devices[1]!.closed).toBe(4003); // the store knows no session of that name
  });

  test("sends no change of a message that a device does not have yet", async () => {
    const { join, publish } = fakeRoom(store);
    await write("one");
    const [message] = (await store.sessions.messages({ session_id }, 0, 1, new Date())).messages;
    const notice = { type: "changed", message: JSON.parse(JSON.stringify(message)) } as RoomEvent;
    const device = join(session_id, "a", known());
    await publish(notice);
    expect(device.frames).toEqual([]);
    await publish({ type: "messages" }, notice);
    expect(device.frames.map(({ type }) => type)).toEqual(["message", "changed"]);
  });

  test("sends no outdated change", async () => {
    const { join, publish } = fakeRoom(store);
    const device = join(session_id, "a", known());
    const status = (status: "sent" | "delivered" | "read") =>
      ({ type: "status", message_id: "m", status }) as const;
    const session = (version: number, updated_at: string) =>
      ({ type: "session", session: { version, updated_at } }) as RoomEvent;
    await publish(status("sent"), status("read"), status("delivered"), status("sent"));
    await publish(session(2, "2026-11-02T10:00:01Z"), session(2, "2026-11-02T10:00:00Z"));
    await publish(session(1, "2026-11-02T10:00:02Z"), session(3, "2026-11-02T10:00:00Z"));
    expect(device.frames.map((frame) => frame.status ?? frame.session.version)).toEqual([
      "sent",
      "read",
      2,
      3,
    ]);
  });
});
