import { expect, test } from "vitest";
import { accept } from "../../src/core/receive/accept.ts";
import type { Customers } from "../../src/features/customers/customers.ts";
import type { Features } from "../../src/features/features.ts";
import { allUp, from, storeDown, webhook, world } from "../support/outage.ts";

const phone = "+4915112345601";
const waits = { code: "unavailable", reason: "journal_waits" };

/** A hub while somebody else replays an older message, and what reached its store's customers. */
async function behindAnOlderMessage() {
  const all = world();
  const reached: string[] = [];
  const customers = new Proxy({} as Customers, {
    ownKeys: () => ["get", "find", "put", "patch", "upsert", "merge", "duplicates"],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    get: (_, name) => async () => void reached.push(String(name)),
  });
  Object.assign(all.store, { features: { customers } satisfies Pick<Features, "customers"> });
  const cutOff = all.isolate();
  all.fault(storeDown);
  await accept(cutOff, "whatsapp", webhook(from(phone, "older")));
  all.fault(allUp);
  const release = await all.journal.lease(20_000);
  return { hub: all.isolate(), release: release!, reached };
}

test("what a back office writes comes after older messages, and what it reads does not wait", async () => {
  const { hub, release, reached } = await behindAnOlderMessage();
  const { customers } = hub.store.features!;
  const writing = { actor: "test", now: hub.now() };
  const writes = [
    () => customers.put("103", { phone }, writing),
    () => customers.patch("103", { phone }, writing),
    () => customers.upsert({ phone }, writing),
    () => customers.merge("103", "104", [], writing),
  ];
  for (const write of writes) await expect(write()).rejects.toMatchObject(waits);
  await customers.get("103");
  await customers.find({ phone }, undefined, 9);
  expect(reached).toEqual(["get", "find"]);
  await release();
  for (const write of writes) await write();
  expect(reached).toEqual(["get", "find", "put", "patch", "upsert", "merge"]);
});
