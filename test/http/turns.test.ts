import { describe, expect, test } from "vitest";
import type { Bot } from "../../src/core/answer/bot.ts";
import { HubError } from "../../src/core/errors.ts";
import type { LiveEvent } from "../../src/core/live.ts";
import { begin, post, testHub } from "../support/http.ts";
import { call, keys } from "../support/people.ts";

/** A hub whose bot does as it is told, and what its devices are told. */
function moodyHub() {
  const state = { mood: "talks" as "talks" | "silent" | "fails" | "refuses" | "hangs" };
  const bot: Bot = {
    history: 0,
    async reply() {
      if (state.mood === "fails")
        throw new HubError("unavailable", "answered 500", { reason: "bot_http_500" });
      if (state.mood === "refuses") throw new HubError("rejected", "no", { reason: "bot_http_400" });
      if (state.mood === "hangs") await new Promise(() => {});
      return state.mood === "silent" ? [] : [{ kind: "text", text: "Hello" }];
    },
  };
  const events: LiveEvent[] = [];
  const hub = testHub({ bot, live: { publish: (_id, event) => void events.push(event) } });
  return { hub, state, events };
}

describe("who waits for the bot", () => {
  test.for([
    ["talks", 1, null],
    ["silent", 0, null],
    ["fails", 0, { state: "retrying", attempt: 1, code: "unavailable", reason: "bot_http_500" }],
    ["refuses", 0, { state: "dead", attempt: 1, code: "rejected", reason: "bot_http_400" }],
  ] as const)("is told whether it %s", async ([mood, replies, turn]) => {
    const { hub, state, events } = moodyHub();
    state.mood = mood;
    const { bearer, id } = await begin(hub);
    const started = Date.now();
    const said = await call(hub, "/webhooks/web?wait=20", post({ external_id: "1", text: "Hi" }, bearer));
    expect(Date.now() - started).toBeLessThan(5_000);
    expect([said.body.replies.length, said.body.turn]).toEqual([replies, turn]);

    const own = await call(hub, "/session/messages", { headers: bearer });
    const operators = await call(hub, `/api/sessions/${id}/messages`, { headers: keys.admin });
    expect(own.body.messages[0].turn).toEqual(turn);
    expect(operators.body.messages[0].turn).toEqual(turn);

    const frames = events.filter(({ type }) => type === "turn");
    const { message_id } = said.body.message;
    expect(frames).toEqual(turn ? [{ type: "turn", message_id, turn }] : []);
  });

  test("is told that it is still being asked when time is up, and what waits behind it", async () => {
    const { hub, state } = moodyHub();
    state.mood = "hangs";
    const { bearer } = await begin(hub);
    const say = async (external_id: string) =>
      (await hub.request("/webhooks/web?wait=0.3", post({ external_id, text: "Hi" }, bearer))).json() as any;
    expect((await say("1")).turn).toEqual({ state: "running", attempt: 1 });
    expect((await say("2")).turn).toEqual({ state: "waiting", attempt: 0 });
    const page = (await (await hub.request("/session/messages", { headers: bearer })).json()) as any;
    expect(page.messages.map(({ turn }: any) => turn.state)).toEqual(["running", "waiting"]);
  });

  test("hears nothing of turns without asking", async () => {
    const { hub } = moodyHub();
    const { bearer } = await begin(hub);
    const said = await call(hub, "/webhooks/web", post({ external_id: "1", text: "Hi" }, bearer));
    expect(said.body).not.toHaveProperty("turn");
  });

  test("leaves the operator a line that says what the bot's author has to mend", async () => {
    const { hub, state } = moodyHub();
    state.mood = "fails";
    const { bearer } = await begin(hub);
    await call(hub, "/webhooks/web", post({ external_id: "1", text: "Hi" }, bearer));
    const line = hub.lines.findLast(({ event }) => event === "turn");
    expect(line?.fields).toMatchObject({ outcome: "failed", reason: "bot_http_500", detail: "answered 500" });
  });
});

test("a webhook whose signature is refused is a warning with a remedy", async () => {
  const hub = testHub();
  for (const channel of ["telegram", "whatsapp"]) {
    const refused = await call(hub, `/webhooks/${channel}`, post({ secret: "CANARY" }));
    expect(refused.status).toBe(401);
  }
  const lines = hub.lines.filter(({ event }) => event === "webhook.refused");
  expect(lines).toMatchObject([
    { level: "warn", fields: { channel: "telegram", code: "unauthorized", advice: expect.any(String) } },
    { level: "warn", fields: { channel: "whatsapp", code: "unauthorized", advice: expect.any(String) } },
  ]);
  expect(JSON.stringify(hub.lines)).not.toContain("CANARY");
});
