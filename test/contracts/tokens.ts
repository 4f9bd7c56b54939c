import { expect, test } from "vitest";
import { anna, day, desk, hash, type Make, minute, said } from "./given.ts";
import { begin } from "./proving.ts";

const { phone } = anna;

export function tokens(make: Make): void {
  test("an unknown token opens nothing", async () => {
    const { sessions } = await desk(make);
    const unknown = { code: "session_not_found" };
    await expect(sessions.restore({ token_hash: hash(1) }, "web", minute(0))).rejects.toMatchObject(unknown);
    await expect(sessions.update({ token_hash: hash(1) }, { data: {} }, minute(0))).rejects.toMatchObject(
      unknown,
    );
    await expect(sessions.end(hash(1), minute(0))).rejects.toMatchObject(unknown);
    await expect(sessions.messages({ token_hash: hash(1) }, 0, 9, minute(0))).rejects.toMatchObject(unknown);
    expect(await sessions.signOut(hash(1), minute(0))).toBe(false);
  });

  test("a device that signs out leaves the session to the others", async () => {
    const { sessions } = await desk(make);
    const start = (seed: number) =>
      sessions.start({ identities: { phone }, channel: "kiosk", token_hash: hash(seed) }, minute(0));
    const { session_id } = await start(1);
    await start(2);
    expect(await sessions.signOut(hash(1), minute(1))).toBe(true);
    expect(await sessions.signOut(hash(1), minute(1))).toBe(false);
    await expect(sessions.restore({ token_hash: hash(1) }, "kiosk", minute(2))).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect(await sessions.restore({ token_hash: hash(2) }, "kiosk", minute(2))).toMatchObject({
      session_id,
      status: "active",
    });
  });

  test("an end counts for every device and channel, and the next start opens a new session", async () => {
    const store = await desk(make);
    const start = (seed: number, now: Date) =>
      store.sessions.start({ identities: { phone }, channel: "kiosk", token_hash: hash(seed) }, now);
    const { session_id } = await start(2, minute(0));
    await start(1, minute(0));
    await store.hear(said("web", { phone }, "1"), minute(1));
    const ended = await store.sessions.end(hash(2), minute(2));
    expect(ended.token_hashes).toEqual([hash(1), hash(2)]);
    expect(ended.session).toMatchObject({
      session_id,
      status: "logged_out",
      ended_at: minute(2),
      updated_at: minute(2),
      version: 2,
      message_count: 1,
    });
    for (const seed of [1, 2])
      await expect(
        store.sessions.restore({ token_hash: hash(seed) }, "web", minute(3)),
      ).rejects.toMatchObject({
        code: "session_not_found",
      });
    await expect(store.hear(said("web", { session_id }, "2"), minute(3))).rejects.toMatchObject({
      code: "session_not_found",
    });
    expect((await start(3, minute(3))).session_id).not.toBe(session_id);
    expect(await store.texts(session_id)).toEqual(["text of 1"]);
  });

  test("a token of an expired session says so until the session is purged", async () => {
    const store = await desk(make);
    await store.sessions.start({ identities: { phone }, channel: "web", token_hash: hash(1) }, day(0));
    const expired = { code: "session_expired" };
    await expect(
      store.sessions.update({ token_hash: hash(1) }, { data: { a: 1 } }, day(7)),
    ).rejects.toMatchObject(expired);
    await expect(store.sessions.end(hash(1), day(7))).rejects.toMatchObject(expired);
    await store.housekeeping.expire(day(7), 10);
    await expect(store.sessions.restore({ token_hash: hash(1) }, "web", day(8))).rejects.toMatchObject(
      expired,
    );
    await store.housekeeping.purge(day(40), 10);
    await expect(store.sessions.restore({ token_hash: hash(1) }, "web", day(40))).rejects.toMatchObject({
      code: "session_not_found",
    });
  });

  test("a refused call does not count as a use of the device", async () => {
    const store = await desk(make);
    const { session_id } = await begin(store, 1, { phone }, minute(0));
    const of = { token_hash: hash(1) };
    const refused = [
      () => store.sessions.update(of, { if_version: 9, data: { a: 1 } }, minute(20)),
      () => store.proofs.unlink(of.token_hash, "phone", minute(20)),
      () => store.proofs.createLink({ ...of, link_hash: hash(2), new_token_hash: hash(3) }, minute(20)),
      () => store.proofs.signUp({ ...of, password: "long enough" }, minute(20)),
    ];
    for (const call of refused) await expect(call()).rejects.toThrow();
    const nobody = { session_id: "00000000-0000-4000-8000-000000000000" };
    const both = [said("web", of, "1"), said("web", nobody, "2")];
    const kept = both.map((message) => ({ type: "message" as const, message }));
    await expect(store.conversations.receive(kept, minute(20))).rejects.toThrow();
    const [device] = await store.proofs.devices({ session_id }, minute(21));
    expect(device).toMatchObject({ last_used_at: minute(0) });
  });

  test("a token belongs to one session at a time", async () => {
    const { sessions } = await desk(make);
    const start = (identities: object, now: Date) =>
      sessions.start({ identities, channel: "web", token_hash: hash(1) }, now);
    const one = await start({ phone }, minute(0));
    const two = await start({ visitor_id: "visit" }, minute(1));
    expect(two.session_id).not.toBe(one.session_id);
    expect((await sessions.restore({ token_hash: hash(1) }, "web", minute(2))).session_id).toBe(
      two.session_id,
    );
    const identities = { phone };
    await sessions.restore({ token_hash: hash(1), identities }, "web", minute(3));
    expect((await sessions.restore({ token_hash: hash(1) }, "web", minute(4))).session_id).toBe(
      one.session_id,
    );
  });
}
