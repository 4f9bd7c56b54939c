import { expect, test } from "vitest";
import type { Edit, Receipt } from "../../src/core/messages/message.ts";
import { anna, ben, day, desk, type Make, minute, reply, said, text } from "./given.ts";

const { phone, whatsapp_user_id } = anna;
const at = { channel: "whatsapp", account: "number-1" };
const receipt = (external_id: string, status: Receipt["status"], reason?: string) => ({
  type: "receipt" as const,
  receipt: { ...at, external_id, status, ...(reason !== undefined && { reason }) },
});
const edit = (external_id: string, words: string | null, when?: Date) => ({
  type: "edit" as const,
  edit: {
    ...at,
    external_id,
    content: words === null ? null : text(words),
    ...(when && { at: when }),
  } satisfies Edit,
});
const echo = (external_id: string, to: object) => ({
  type: "echo" as const,
  echo: { ...at, external_id, to, content: text(`echo ${external_id}`), sent_at: minute(0) },
});

export function notified(make: Make): void {
  test("receipts move a reply forward and never back", async () => {
    const store = await desk(make);
    const sent = await store.answered(said("whatsapp", { phone }, "1"), [reply("one")], minute(0));
    await store.settleAs(sent, { external_id: "w1" }, minute(0));
    const status = async () => (await store.history(sent.session_id)).at(-1)?.status;
    const steps = [
      ["sent", false, "sent"],
      ["read", true, "read"],
      ["delivered", false, "read"],
      ["failed", false, "read"],
      ["read", false, "read"],
      ["played", true, "played"],
    ] as const;
    for (const [notified, applied, after] of steps) {
      expect(await store.tell(receipt("w1", notified), minute(1))).toBe(applied);
      expect(await status()).toBe(after);
    }
  });

  test("a failure reported later fails the reply for good", async () => {
    const store = await desk(make);
    const sent = await store.answered(said("whatsapp", { phone }, "1"), [reply("one")], minute(0));
    await store.settleAs(sent, { external_id: "w1" }, minute(0));
    expect(await store.tell(receipt("w1", "failed", "131047"), minute(1))).toBe(true);
    expect(await store.tell(receipt("w1", "delivered"), minute(1))).toBe(false);
    expect((await store.history(sent.session_id)).at(-1)?.status).toBe("failed");
  });

  test("a reply in parts has the status of its slowest part", async () => {
    const store = await desk(make);
    const a = await store.answered(said("whatsapp", { phone }, "1"), [reply("ab", ["a", "b"])], minute(0));
    const [b] = await store.settleAs(a, { external_id: "wa" }, minute(0));
    await store.tell(receipt("wa", "read"), minute(1));
    const status = async () => (await store.history(a.session_id)).at(-1)?.status;
    expect(await status()).toBe("pending");
    await store.settleAs(b!, { external_id: "wb" }, minute(1));
    expect(await status()).toBe("sent");
    await store.tell(receipt("wb", "delivered"), minute(1));
    expect(await status()).toBe("delivered");
  });

  test("a receipt that comes before the delivery is settled is kept; of several the furthest status", async () => {
    const store = await desk(make);
    const sent = await store.answered(said("whatsapp", { phone }, "1"), [reply("one")], minute(0));
    for (const status of ["sent", "read", "delivered"] as const)
      expect(await store.tell(receipt("w1", status), minute(0))).toBe(false);
    await store.settleAs(sent, { external_id: "w1" }, minute(1));
    expect((await store.history(sent.session_id)).at(-1)?.status).toBe("read");
    await store.tell(receipt("e1", "delivered"), minute(1));
    await store.tell(echo("e1", { phone }), minute(2));
    const { counters } = await store.operations.metrics(minute(2));
    expect(counters["receipts|whatsapp|read"]).toBe(1);
    expect(counters["receipts|whatsapp|delivered"]).toBe(1);
  });

  test("a receipt for a customer's message changes nothing", async () => {
    const store = await desk(make);
    const { message } = await store.hear(said("whatsapp", { phone }, "1"), minute(0));
    expect(await store.tell(receipt("1", "read"), minute(1))).toBe(false);
    expect(await store.history(message.session_id)).toEqual([message]);
  });

  test("receipts and edits of another account or channel change nothing", async () => {
    const store = await desk(make);
    const { message } = await store.hear(said("whatsapp", { phone }, "1"), minute(0));
    const { edit: change } = edit("1", "not this one");
    for (const over of [{ account: "number-2" }, { channel: "telegram" }, { account: message.session_id }])
      expect(await store.tell({ type: "edit", edit: { ...change, ...over } }, minute(1))).toBe(false);
    expect(await store.history(message.session_id)).toEqual([message]);
  });

  test("an edit changes the message's content, wakes no bot and slides no expiry", async () => {
    const store = await desk(make);
    const { message, session } = await store.hear(said("whatsapp", { phone }, "1"), minute(0));
    expect(await store.tell(edit("1", "better words", minute(2)), minute(3))).toBe(true);
    expect(await store.history(message.session_id)).toEqual([
      { ...message, text: "better words", content: text("better words"), edited_at: minute(2) },
    ]);
    expect((await store.hear(said("whatsapp", { phone }, "1"), minute(0.1))).session).toEqual(session);
  });

  test("an edit with the same content, or older than the last one, changes nothing", async () => {
    const store = await desk(make);
    const { message } = await store.hear(said("whatsapp", { phone }, "1"), minute(0));
    expect(await store.tell(edit("1", message.text), minute(1))).toBe(false);
    expect(await store.tell(edit("1", "second", minute(5)), minute(5))).toBe(true);
    expect(await store.tell(edit("1", "first", minute(4)), minute(6))).toBe(false);
    expect(await store.texts(message.session_id)).toEqual(["second"]);
  });

  test("a deleted message stays empty, whatever edits follow", async () => {
    const store = await desk(make);
    const { message } = await store.hear(said("whatsapp", { phone }, "1"), minute(0));
    expect(await store.tell(edit("1", null), minute(1))).toBe(true);
    expect(await store.tell(edit("1", "back", minute(2)), minute(2))).toBe(false);
    expect(await store.tell(edit("1", null), minute(2))).toBe(false);
    expect(await store.history(message.session_id)).toEqual([
      {
        ...message,
        kind: "system",
        text: "",
        content: { kind: "system", event: "deleted" },
        deleted_at: minute(1),
      },
    ]);
  });

  test("an edit that arrives before its message is kept; of several the newest", async () => {
    const store = await desk(make);
    for (const [words, when] of [
      ["second", 2],
      ["third", 3],
      ["first", 1],
    ] as const)
      expect(await store.tell(edit("1", words, minute(when)), minute(4))).toBe(false);
    const { message, turn } = await store.hear(said("whatsapp", { phone }, "1"), minute(5));
    expect(message).toMatchObject({ text: "third", edited_at: minute(3) });
    expect(turn?.message).toEqual(message);
  });

  test("a deletion that arrives before its message is not undone by an edit", async () => {
    const store = await desk(make);
    await store.tell(edit("1", null, minute(2)), minute(2));
    await store.tell(edit("1", "from before", minute(1)), minute(3));
    const { message } = await store.hear(said("whatsapp", { phone }, "1"), minute(5));
    expect(message).toMatchObject({ text: "", deleted_at: minute(2) });
  });

  test("an echo is in the customer's history once, and wakes no bot", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { phone, whatsapp_user_id }, "1"), minute(0));
    expect(await store.tell(echo("e1", { whatsapp_user_id }), minute(1))).toBe(true);
    expect(await store.tell(echo("e1", { whatsapp_user_id }), minute(1))).toBe(false);
    expect(await store.tell(echo("e2", { phone: ben.phone }), minute(1))).toBe(false);
    const kept = await store.history(session.session_id);
    expect(kept[1]).toMatchObject({
      direction: "outbound",
      role: "operator",
      status: "sent",
      text: "echo e1",
      sent_at: minute(0),
    });
    expect(kept).toHaveLength(2);
    expect(await store.tell(receipt("e1", "read"), minute(2))).toBe(true);
    expect((await store.history(session.session_id))[1]?.status).toBe("read");
    const { session: after } = await store.hear(said("whatsapp", { phone }, "1"), minute(0.5));
    expect(after).toMatchObject({
      message_count: 2,
      last_activity: minute(0),
      expires_at: session.expires_at,
    });
  });

  test("an echo to a customer without an active session opens none", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { phone }, "1"), day(0));
    expect(await store.tell(echo("e1", { phone }), day(8))).toBe(false);
    expect(await store.texts(session.session_id)).toHaveLength(1);
    // Only the sweep marks it as expired.
    expect(await store.housekeeping.expire(day(8), 10)).toBe(1);
  });

  test("a person who gets a new id of the platform keeps their session", async () => {
    const store = await desk(make);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id }, "1"), minute(0));
    const change = { channel: "whatsapp", from: { whatsapp_user_id }, to: { whatsapp_user_id: "DE.new" } };
    expect(await store.tell({ type: "identity_change", change }, minute(1))).toBe(true);
    expect(await store.tell({ type: "identity_change", change }, minute(1))).toBe(false);
    const later = await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "2"), minute(2));
    expect(later.session).toMatchObject({ session_id: session.session_id, whatsapp_user_id: "DE.new" });
    const other = await store.hear(said("whatsapp", { whatsapp_user_id }, "3"), minute(3));
    expect(other.session.session_id).not.toBe(session.session_id);
  });

  test("a person whose new id wrote before the identity change has one session after it", async () => {
    const store = await desk(make);
    const old = await store.hear(said("whatsapp", { whatsapp_user_id, phone }, "1"), minute(0));
    const young = await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "2"), minute(1));
    const change = { channel: "whatsapp", from: { whatsapp_user_id }, to: { whatsapp_user_id: "DE.new" } };
    expect(await store.tell({ type: "identity_change", change }, minute(2))).toBe(true);
    const { session } = await store.hear(said("whatsapp", { whatsapp_user_id: "DE.new" }, "3"), minute(3));
    expect(session).toMatchObject({ session_id: old.session.session_id, phone, message_count: 3 });
    expect(await store.texts(young.session.session_id)).toHaveLength(3);
  });

  test("reachability changes once, and only for a known customer", async () => {
    const store = await desk(make);
    const tell = (reachable: boolean, who: object = { phone }) =>
      store.tell({ type: "reachability", reachability: { channel: "telegram", who, reachable } }, minute(1));
    expect(await tell(false)).toBe(false);
    await store.hear(said("telegram", { phone }, "1", { wakes: false }), minute(0));
    expect(await tell(true)).toBe(false);
    expect(await tell(false)).toBe(true);
    expect(await tell(false)).toBe(false);
    expect(await tell(true)).toBe(true);
    expect(await tell(false, { phone: ben.phone })).toBe(false);
  });
}
