import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { desk, hash, reply, said, text } from "../contracts/given.ts";
import { begin } from "../contracts/proving.ts";
import { message, races } from "./races/database.ts";
import { range } from "./races/many.ts";

const here = races();
const at = { channel: "whatsapp", account: "number-1" };

/** Calls a function in a transaction that stays open while `meanwhile` runs. */
async function whileOpen(name: string, argument: object, meanwhile: () => Promise<unknown>): Promise<void> {
  let notified: Promise<unknown> | undefined;
  await here.owner.begin(async (sql) => {
    await sql.unsafe(`select public.${name}($1::text::jsonb)`, [JSON.stringify(argument)]);
    notified = meanwhile();
    await Promise.race([notified, sleep(300)]);
  });
  await notified;
}

test("a failed receipt during the settlement of its delivery is not lost", async () => {
  const store = await desk(async () => here.store());
  const delivery = await store.answered(
    said("whatsapp", { phone: "+4915112345601" }, "1"),
    [reply("one")],
    new Date(),
  );
  const { delivery_id, attempt } = delivery;
  const outcomes = [{ delivery_id, attempt, state: "sent", external_id: "w1" }];
  await whileOpen("hub_settle", { now: new Date(), lease_ms: 60_000, history: 0, outcomes }, () =>
    store.conversations.receive(
      [{ type: "receipt", receipt: { ...at, external_id: "w1", status: "failed", reason: "131047" } }],
      new Date(),
    ),
  );
  expect((await store.history(delivery.session_id)).at(-1)?.status).toBe("failed");
  expect((await here.owner`select count(*)::int as n from public.early_events`)[0]!.n).toBe(0);
});

test("an edit that comes while its message is being saved is not lost", async () => {
  const store = await desk(async () => here.store());
  const phone = "+4915112345602";
  const item = {
    type: "message",
    ...at,
    external_id: "m1",
    identities: { phone },
    address: { to: "1" },
    kind: "text",
    text: "helo",
    content: {},
    wakes: false,
  };
  const p = { now: new Date(), ttl_ms: 86_400_000, lease_ms: 60_000, history: 0, notices: {}, items: [item] };
  await whileOpen("hub_receive", p, () =>
    store.conversations.receive(
      [{ type: "edit", edit: { ...at, external_id: "m1", content: text("hello") } }],
      new Date(),
    ),
  );
  const [session] = await here.active();
  expect((await store.history(session!.session_id)).map(({ text }) => text)).toEqual(["hello"]);
});

test("a message delivered three times at once costs three calls, without a retry", async () => {
  const store = here.store();
  const hear = (id: string) =>
    store.conversations.receive([message({ phone: "+491511" }, "whatsapp", id)], new Date());
  await hear("first");
  const before = here.calls();
  for (const i of range(30)) await Promise.all(range(3).map(() => hear(`m${i}`)));
  expect(here.calls() - before).toBe(90);
  expect((await here.active())[0]).toMatchObject({ message_count: 31, stored: 31 });
});

test("a login and a password change at the same time do not deadlock", async () => {
  const store = await desk(async () => here.store());
  const password = "correct horse battery";
  const before = await here.deadlocks();
  for (const i of range(8)) {
    const now = new Date();
    const phone = `+4915112340${i}`;
    await begin(store, 10 * i + 1, { phone }, now);
    await store.proofs.signUp({ token_hash: hash(10 * i + 1), password }, now);
    const login = { phone, password, new_token_hash: hash(10 * i + 2), channel: "web", rate_limit_keys: [] };
    const change = { token_hash: hash(10 * i + 1), password, new_password: `${password} 2` };
    await Promise.all([
      store.proofs.changePassword(change, now),
      store.proofs.logIn(login, now).catch(() => {}), // the password may be another one by now
    ]);
  }
  expect((await here.deadlocks()) - before).toBe(0);
});
