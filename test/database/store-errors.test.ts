import sqlDriver from "postgres";
import { describe, expect, test } from "vitest";
import { HubError } from "../../src/core/errors.ts";
import { loggedCall } from "../../src/stores/logged.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import { type SqlCall, sqlStore } from "../../src/stores/sql.ts";
import { supabaseCalls } from "../../src/stores/supabase.ts";
import { anna, said, settings } from "../contracts/given.ts";
import type { Line } from "../support/http.ts";
import { createDatabase, supabase } from "../support/stack.ts";

describe.each(["directly", "through Supabase's REST API"])("a store error, %s", (way) => {
  /** A store on a database of its own, the lines that its errors leave, and the owner's connection. */
  async function open() {
    const { url } = await createDatabase();
    const owner = sqlDriver(url, { max: 1, onnotice: () => {} });
    const lines: Line[] = [];
    let direct: PostgresCalls | undefined;
    let call: SqlCall;
    if (way === "directly") {
      direct = postgresCalls(url, { max: 2 });
      call = direct.call;
    } else {
      const api = await supabase(url, 2);
      call = supabaseCalls({ url: api.url, key: api.serviceRoleKey });
    }
    const store = sqlStore(
      loggedCall(call, (level, event, fields) => lines.push({ level, event, fields })),
      settings,
    );
    const close = async () => {
      await direct?.close();
      await owner.end();
    };
    const hear = () =>
      store.conversations.receive([{ type: "message", message: said("telegram", anna, "1") }], new Date());
    return { owner, store, lines, close, hear };
  }

  test("names the function that is missing and what to do", async () => {
    const { owner, lines, close, hear } = await open();
    await owner`drop function public.hub_receive(jsonb)`;
    await expect(hear()).rejects.toMatchObject({ code: "unavailable" });
    const reason = way === "directly" ? "42883" : expect.stringMatching(/^(42883|PGRST202)$/);
    expect(lines).toMatchObject([
      {
        level: "error",
        event: "store.failed",
        fields: {
          function: "hub_receive",
          code: "unavailable",
          reason,
          advice: "hub_receive is missing: run npm run migrate",
        },
      },
    ]);
    expect(lines[0]?.fields.items).toEqual(["message"]);
    await close();
  });

  test("names what is missing below the function, and where", async () => {
    const { owner, lines, close, hear } = await open();
    await owner`drop function hub.receive_message(jsonb, hub.context)`;
    await expect(hear()).rejects.toThrow();
    expect(lines[0]?.fields).toMatchObject({
      function: "hub_receive",
      reason: "42883",
      advice: "receive_message is missing: run npm run migrate",
      schema: expect.stringContaining("does not exist"),
    });
    if (way === "directly")
      expect(lines[0]?.fields.at).toContainEqual(expect.stringMatching(/receive_item:\d+$/));
    await close();
  });

  test("names the column, the table and the way back", async () => {
    const { owner, store, lines, close, hear } = await open();
    await hear();
    const turn = { turn_id: "0b6f7c1e-5a0f-4a3e-9d0f-3f1f0c2f8a11", attempt: 1 };
    await owner`alter table public.turns rename column leader to foreman`;
    await expect(store.conversations.complete(turn as never, [], new Date())).rejects.toThrow();
    expect(lines[0]?.fields).toMatchObject({
      function: "hub_complete",
      reason: "42703",
      schema: expect.stringContaining("leader"),
      advice: "the schema and the Worker differ: run npm run migrate",
      ...turn,
      replies: 0,
    });
    await close();
  });

  test("quotes no row that breaks a rule, but names the rule", async () => {
    const { owner, lines, close, hear } = await open();
    await owner`alter table public.messages add constraint no_words check (text = '')`;
    await expect(hear()).rejects.toThrow();
    expect(lines[0]?.fields).toMatchObject({ function: "hub_receive", reason: "23514" });
    if (way === "directly")
      expect(lines[0]?.fields).toMatchObject({ table: "messages", constraint: "no_words" });
    expect(lines[0]?.fields.schema).toBeUndefined();
    expect(JSON.stringify(lines)).not.toMatch(/text of 1|4915112345601|7001/);
    await close();
  });

  test("tells the status, where there is one", async () => {
    const { owner, lines, close, hear } = await open();
    await owner`revoke execute on function public.hub_receive(jsonb) from service_role`;
    if (way === "directly") await hear();
    else {
      await expect(hear()).rejects.toThrow();
      expect(lines[0]?.fields).toMatchObject({
        reason: "42501",
        status: 403,
        advice: expect.stringContaining("service role"),
      });
    }
    await close();
  });
});

test("collisions that are tried again are told as such, and cost no alarm", async () => {
  const lines: Line[] = [];
  let calls = 0;
  const call: SqlCall = async () => {
    if (++calls < 3) throw new HubError("unavailable", "x", { reason: "40P01" });
    return { signed_out: true };
  };
  const store = sqlStore(
    loggedCall(call, (level, event, fields) => lines.push({ level, event, fields })),
    settings,
  );
  expect(await store.sessions.signOut("x", new Date())).toBe(true);
  const line = {
    level: "info",
    event: "store.collided",
    fields: { function: "hub_sign_out", reason: "40P01" },
  };
  expect(lines).toMatchObject([line, line]);
});

test("a database that cannot be reached is told by the driver's code", async () => {
  const lines: Line[] = [];
  const { call, close } = postgresCalls("postgres://nobody@127.0.0.1:9/none", { max: 1 });
  const logged = loggedCall(call, (level, event, fields) => lines.push({ level, event, fields }));
  await expect(logged("hub_due", { limit: 5 })).rejects.toMatchObject({ reason: "ECONNREFUSED" });
  expect(lines).toMatchObject([{ fields: { function: "hub_due", reason: "ECONNREFUSED", limit: 5 } }]);
  await close();
});
