import { describe, expect, test } from "vitest";
import whatsapp from "../../src/channels/whatsapp/index.ts";
import { kits } from "../support/channels.ts";
import { bytesOf, fixturesWith, type RequestFixture, toRequest } from "../support/fixtures.ts";

const env = kits.whatsapp!.env("http://127.0.0.1:9");

/** Parses a fixture with these settings. */
async function read(name: string, more: Record<string, string>) {
  const [, { request }] = fixturesWith<RequestFixture>("whatsapp", "request").find(
    ([file]) => file === name,
  )!;
  return whatsapp({ ...env, ...more })!.parse(toRequest(bytesOf(request)));
}

describe("with the shop's other numbers named", () => {
  const named = { WHATSAPP_OTHER_NUMBER_IDS: "100000000000002, 100000000000009" };

  test.for([
    "echoes-of-a-number-that-is-not-ours",
    "changes-told-to-a-number-that-is-not-ours",
    "user-id-update-told-to-a-number-that-is-not-ours",
  ])("%s are read, for it is ours now", async (name) => {
    for (const item of await read(name, named)) expect(item.type).not.toBe("ignored");
  });

  test("a customer of another number of the shop can be reached there", async () => {
    const items = await read("many-entries-and-numbers", named);
    expect(items.length).toBeGreaterThan(2);
    for (const item of items) if (item.type === "message") expect(item.message.address_of).not.toBeNull();
  });

  test("nothing of any other number is stored: no message, no receipt", async () => {
    const items = await read("many-entries-and-numbers", { WHATSAPP_OTHER_NUMBER_IDS: "" });
    expect(items.some((item) => item.type === "message" && item.message.address_of === null)).toBe(true);
    const closed = await read("many-entries-and-numbers", { WHATSAPP_OTHER_NUMBER_IDS: "5" });
    expect(closed).toContainEqual({ type: "ignored", reason: "not_ours", what: "messages" });
    for (const item of closed)
      if (item.type === "message") expect(item.message.account).toBe("100000000000001");
  });
});

test.for([
  [{}, undefined],
  [{ WHATSAPP_DISPLAY_PHONE_NUMBER: "+1 (555) 000-1111" }, "https://wa.me/15550001111?text=link_x"],
] as const)("with %j the link to scan is %s", ([more, link]) => {
  expect(whatsapp({ ...env, ...more })!.scanLink!("link_x")).toBe(link);
});

test.for([
  [{ WHATSAPP_DISPLAY_PHONE_NUMBER: "secret" }, "WHATSAPP_DISPLAY_PHONE_NUMBER must be a phone number"],
  [{ WHATSAPP_OTHER_NUMBER_IDS: "+1 555 secret" }, "WHATSAPP_OTHER_NUMBER_IDS must be numbers' ids"],
] as const)("%j is refused, naming the variable and not its value", ([more, message]) => {
  expect(() => whatsapp({ ...env, ...more })).toThrow(message);
  expect(() => whatsapp({ ...env, ...more })).not.toThrow(/secret/);
});
