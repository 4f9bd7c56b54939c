import { describe, expect, test } from "vitest";
import { accept } from "../../src/core/receive/accept.ts";
import { restore, start } from "../../src/outage/degraded.ts";
import { hash } from "../contracts/given.ts";
import { allUp, from, storeDown, webhook, world } from "../support/outage.ts";

const anna = "+4915112345601";
const said = (external_id: string, token_hash: string) =>
  ({
    type: "message",
    message: {
      channel: "web",
      external_id,
      from: { token_hash },
      address: {},
      content: { kind: "text", text: external_id },
      wakes: true,
    },
  }) as const;

describe("while somebody else replays, and the cache knows nothing", () => {
  test("a message that cannot be put behind older ones does not get ahead of them", async () => {
    const all = world();
    const hub = all.isolate();
    await start(hub, { identities: { phone: anna }, channel: "web", token_hash: hash(1) });
    all.fate(storeDown);
    await accept(hub, "whatsapp", webhook(from(anna, "a1")));
    all.fate(allUp);
    all.clock.now += 4_000;
    const release = await all.journal.lease(20_000);
    await all.cache.drop([hash(1)]);
    const say = () => accept(hub, "web", webhook(said("a2", hash(1))));
    await expect(say()).rejects.toMatchObject({ code: "unavailable", reason: "journal_waits" });
    await release!();
    expect(await say()).toMatchObject({ persisted: true });
    await all.idle();
    const now = new Date(all.clock.now);
    const { messages } = await all.store.sessions.messages({ token_hash: hash(1) }, 0, 9, now);
    expect(messages.filter(({ role }) => role === "user").map(({ text }) => text)).toEqual(["a1", "a2"]);
  });

  test("a token whose session only waits in the journal is not said to open nothing", async () => {
    const all = world();
    const hub = all.isolate();
    all.fate(storeDown);
    await start(hub, { identities: {}, channel: "web", token_hash: hash(1) });
    all.fate(allUp);
    const release = await all.journal.lease(20_000);
    await all.cache.drop([hash(1)]);
    const come = () => restore(hub, { token_hash: hash(1) }, undefined);
    await expect(come()).rejects.toMatchObject({ code: "unavailable", reason: "journal_waits" });
    await release!();
    expect(await come()).toMatchObject({ persisted: true });
  });
});
