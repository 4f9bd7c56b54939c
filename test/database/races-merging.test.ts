import { expect, test } from "vitest";
import type { HubError } from "../../src/core/errors.ts";
import type { Identities } from "../../src/core/identity/identity.ts";
import { type Desk, desk, reply, said, text } from "../contracts/given.ts";
import { message, races } from "./races/database.ts";
import { inFlight, range } from "./races/many.ts";

const here = races();

test("sessions that merge in many calls at once lose nothing and become one", async () => {
  const store = here.store();
  const before = await here.deadlocks();
  for (const round of range(12)) {
    const who = {
      telegram_chat_id: `${round}`,
      whatsapp_user_id: `DE.${round}`,
      phone: `+4915100000${round}`,
      visitor_id: `visit-${round}`,
    };
    const pick = (...kinds: (keyof typeof who)[]): Identities =>
      Object.fromEntries(kinds.map((kind) => [kind, who[kind]]));
    const proofs = [
      pick("telegram_chat_id"),
      pick("whatsapp_user_id"),
      pick("phone"),
      pick("visitor_id"),
      pick("telegram_chat_id", "phone"),
      pick("phone", "whatsapp_user_id"),
      pick("visitor_id", "telegram_chat_id"),
      pick("whatsapp_user_id", "visitor_id"),
    ];
    await Promise.all(
      range(48).map((i) =>
        store.conversations.receive([message(proofs[i % 8]!, "telegram", `${round}-${i}`)], new Date()),
      ),
    );
    const [session, ...others] = await here.active();
    expect(others).toEqual([]);
    expect(session).toMatchObject({ message_count: 48, stored: 48 });
    await here.owner`update public.sessions set status = 'logged_out', ended_at = now() where status = 'active'`;
  }
  expect((await here.deadlocks()) - before).toBe(0);
});

/** A session whose first reply is being sent, and whose second turn is being answered. */
async function twoUnderWay(store: Desk, from: Identities, id: string) {
  const delivery = await store.answered(said("telegram", from, `${id}-1`), [reply("one")], new Date());
  const turn = await store.ask(said("telegram", from, `${id}-2`), new Date());
  return { delivery, turn };
}

test("a lane that is settled and added to at the same time continues at once", async () => {
  const store = await desk(async () => here.store());
  const handed = await inFlight(15, range(150), async (i) => {
    const { delivery, turn } = await twoUnderWay(store, { visitor_id: `v${i}` }, `${i}`);
    const [settled, completed] = await Promise.all([
      store.settleAs(delivery, { external_id: `s${i}` }, new Date()),
      store.conversations.complete(turn, [reply("two")], new Date()),
    ]);
    return [...settled, ...completed.deliveries].map(({ content }) => (content as { text: string }).text);
  });
  expect(handed).toEqual(range(150).map(() => ["two"]));
});

test("a merge during answers, settlements and messages of the younger session blocks no call", async () => {
  const store = await desk(async () => here.store());
  const before = await here.deadlocks();
  const rounds = await inFlight(8, range(80), async (i) => {
    const [old, young] = [{ telegram_chat_id: `t${i}` }, { phone: `+49151${1000 + i}` }];
    await store.hear(said("web", old, `${i}-0`, { wakes: false }), new Date());
    const { delivery, turn } = await twoUnderWay(store, young, `${i}`);
    const outcome = i % 2 ? ({ state: "dead", code: "rejected", reason: "blocked" } as const) : {};
    const echo = {
      channel: "telegram",
      account: "bot-1",
      external_id: `${i}-5`,
      to: young,
      content: text("echo"),
    };
    const [, settled, completed, , echoed] = await Promise.all([
      store.hear(said("telegram", { ...old, ...young }, `${i}-3`), new Date()),
      store.settleAs(delivery, outcome, new Date()),
      store.conversations.complete(turn, [reply("two", [])], new Date()),
      store.hear(said("web", young, `${i}-4`, { wakes: false }), new Date()),
      store.tell({ type: "echo", echo }, new Date()),
    ]);
    return { stale: completed.stale, settled: settled.length, echoed };
  });
  expect(rounds).toEqual(range(80).map(() => ({ stale: false, settled: 0, echoed: true })));
  const stored = (await here.active()).map(({ message_count, stored }) => [message_count, stored]);
  expect(stored).toEqual(range(80).map(() => [8, 8]));
  expect((await here.deadlocks()) - before).toBe(0);
});

test("a phone that moves to another session is found before, during and after the move", async () => {
  const store = await desk(async () => here.store());
  const found = await inFlight(8, range(60), async (i) => {
    const [old, young] = [
      { telegram_chat_id: `t${i}` },
      { whatsapp_user_id: `DE.${i}`, phone: `+49152${1000 + i}` },
    ];
    const { phone } = young;
    await store.hear(said("web", old, `${i}-0`, { wakes: false }), new Date());
    await store.hear(said("web", young, `${i}-1`, { wakes: false }), new Date());
    const joint = { ...old, whatsapp_user_id: young.whatsapp_user_id };
    const restore = { token_hash: `${i}`.padStart(64, "0"), identities: { phone } };
    const [merged, restored, heard] = await Promise.all([
      store.hear(said("telegram", joint, `${i}-2`), new Date()),
      store.sessions.restore(restore, "web", new Date()),
      store.hear(said("kiosk", { phone }, `${i}-3`), new Date()),
    ]);
    // A merge ends a token that was given before it, and reports that.
    const died = merged.closed?.includes(restore.token_hash) ?? false;
    const known = await store.sessions
      .restore({ token_hash: restore.token_hash }, "web", new Date())
      .then(({ session_id }) => session_id)
      .catch((error: HubError) => error.code);
    const expected = died ? "session_not_found" : merged.session.session_id;
    return [restored.phone, heard.session.phone === phone, known === expected];
  });
  expect(found).toEqual(range(60).map((i) => [`+49152${1000 + i}`, true, true]));
});
