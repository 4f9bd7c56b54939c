import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { mediaLinks } from "../../src/features/media/links.ts";
import { liveRooms } from "../../src/http/live/publisher.ts";
import worker from "../../src/worker.ts";
import { post } from "../support/http.ts";

describe("publishing to a room", () => {
  test("takes one call for several events, in order, without the typing of a bot that has answered", async () => {
    const calls: { body: any; answer: () => void }[] = [];
    const room = {
      fetch: (_url: string, { body }: { body: string }) =>
        new Promise((resolve) => {
          const answer = () => resolve(new Response(null, { status: 204 }));
          calls.push({ body: JSON.parse(body), answer });
        }),
    };
    const rooms = { idFromName: (id: string) => id, get: () => room };
    const live = liveRooms(rooms as never, () => {}, expect.unreachable, mediaLinks([], undefined));
    live.publish("s", { type: "messages" });
    live.publish("s", { type: "closed", token_hash: "a" });
    await vi.waitFor(() => expect(calls).toHaveLength(1));
    for (const event of ["typing", "messages", "status", "typing"])
      live.publish("s", { type: event, channel: "web", seq: 1, message_id: "m", status: "sent" } as never);
    live.publish("other", { type: "typing", channel: "web", seq: 1 });
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    calls[0]!.answer();
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    expect(calls.map(({ body }) => body.map(({ type }: { type: string }) => type))).toEqual([
      ["messages", "closed"],
      ["typing"],
      ["messages", "status", "typing"],
    ]);
  });
});

describe("a hub without its rooms", () => {
  const lines: any[] = [];
  beforeAll(() => {
    for (const level of ["info", "warn", "error"] as const)
      vi.spyOn(console, level).mockImplementation((line) => void lines.push(JSON.parse(line)));
  });
  afterAll(() => vi.restoreAllMocks());

  async function talk(LIVE: unknown) {
    lines.length = 0;
    const env = { BOT: "echo", ...(LIVE ? { LIVE } : {}) };
    const running: Promise<unknown>[] = [];
    const context = { waitUntil: (work: Promise<unknown>) => void running.push(work) };
    const call = async (path: string, init?: RequestInit): Promise<any> =>
      worker.fetch(new Request(`https://hub.example${path}`, init) as never, env, context as never);
    const { session_token } = (await (await call("/session/start", post({ channel: "web" }))).json()) as any;
    const bearer = { authorization: `Bearer ${session_token}` };
    const body = { external_id: "1", text: "Hello" };
    const saved = await call("/webhooks/web?wait=5", post(body, bearer));
    const page = await (await call("/session/messages", { headers: bearer })).json();
    const live = await call("/session/live", { headers: { ...bearer, upgrade: "websocket" } });
    return { saved: await saved.json(), page, live, code: (await live.json()).error.code, running };
  }

  const rooms = (fetch: () => Promise<Response>) => ({
    idFromName: (id: string) => id,
    get: () => ({ fetch }),
  });
  const broken: [string, unknown][] = [
    ["has none", undefined],
    ["cannot name them", rooms as never],
    ["cannot reach them", rooms(() => Promise.reject(new Error("Durable Object reset")))],
    ["gets errors from them", rooms(async () => new Response(null, { status: 500 }))],
    ["gets no answer from them", rooms(() => new Promise(() => {}))],
  ];

  test.for(broken)("that %s saves and answers messages, found by cursor", async ([name, LIVE]) => {
    const { saved, page, live, code, running } = await talk(LIVE);
    expect(saved.replies).toHaveLength(1);
    expect(page.messages).toHaveLength(2);
    expect([live.status, code, live.headers.has("retry-after")]).toEqual([503, "unavailable", true]);
    if (name === "has none" || name === "gets no answer from them") return;
    await Promise.all(running);
    const said = lines.filter(({ event }) => event === "live.failed");
    expect(said.length).toBeGreaterThan(0);
    expect(said.length).toBeLessThanOrEqual(3);
    expect(JSON.stringify(said)).not.toContain("Hello");
  });
});
