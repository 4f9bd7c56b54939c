import { beforeEach, describe, expect, test } from "vitest";
import { hmacHex } from "../../src/core/signature.ts";
import { ENV, post } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";

const OURS = ENV.WHATSAPP_PHONE_NUMBER_ID;
const ANNA = "+15550001001";
const EVE = "+15550001666";
const NEW = "+15550001005";
let hub: StrictHub;
let messages = 0;

beforeEach(() => {
  hub = strictHub();
});

async function deliver(changes: object[], secret = ENV.WHATSAPP_APP_SECRET) {
  const body = { object: "whatsapp_business_account", entry: [{ id: "1", changes }] };
  const hmac = await hmacHex(secret, new TextEncoder().encode(JSON.stringify(body)));
  const { status } = await call(
    hub,
    "/webhooks/whatsapp",
    post(body, { "x-hub-signature-256": `sha256=${hmac}` }),
  );
  return status;
}

const messagesChange = (said: object[], phone_number_id = OURS) => ({
  field: "messages",
  value: { metadata: { phone_number_id }, messages: said },
});

/** So many minutes from now, as WhatsApp tells time. */
const later = (minutes: number) => String(Math.ceil(hub.clock.now.getTime() / 1_000) + minutes * 60);

/** WhatsApp tells that somebody has another number now. */
const changed = (from: string, to: string, more: object = {}) => ({
  id: `wamid.change${++messages}`,
  timestamp: later(0),
  type: "system",
  from: from.slice(1),
  system: { type: "user_changed_number", wa_id: to.slice(1), ...more },
});

const wrote = (from: string, more: object) => ({
  id: `wamid.said${++messages}`,
  timestamp: "1781000000",
  from: from.slice(1),
  ...more,
});

/** Whose session is found by a phone; undefined when there is none. */
async function holderOf(phone: string): Promise<string | undefined> {
  const { body } = await call(hub, `/session/restore?phone=${encodeURIComponent(phone)}`, {
    headers: keys.admin,
  });
  return body.session?.session_id;
}

describe("a change of number", () => {
  let anna: string;
  beforeEach(async () => {
    await onWhatsApp(hub, ANNA, "I am Anna");
    anna = (await holderOf(ANNA))!;
    await onWhatsApp(hub, EVE, "I am Eve");
  });

  const expectUntouched = async () => {
    expect(await holderOf(ANNA)).toBe(anna);
    expect(await holderOf(NEW)).toBeUndefined();
  };

  test("is believed when Meta signs it, of our own number", async () => {
    expect(await deliver([messagesChange([changed(ANNA, NEW)])])).toBe(200);
    expect([await holderOf(ANNA), await holderOf(NEW)]).toEqual([undefined, anna]);
  });

  test("told again, does not move the number's next owner", async () => {
    const news = messagesChange([changed(ANNA, NEW)]);
    expect(await deliver([news])).toBe(200);
    hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
    await onWhatsApp(hub, ANNA, "I have Anna's old number");
    const next = await holderOf(ANNA);
    expect(next).not.toBe(anna);
    expect(await deliver([news])).toBe(200);
    expect([await holderOf(ANNA), await holderOf(NEW)]).toEqual([next, anna]);
  });

  test("is refused when another app signs it", async () => {
    expect(await deliver([messagesChange([changed(ANNA, NEW)])], "another-app-secret")).toBe(401);
    await expectUntouched();
  });

  test("told to a number that is not ours changes nothing, though messages for us stand beside it", async () => {
    const foreign = messagesChange([changed(ANNA, NEW)], "900000000000009");
    const ids = {
      field: "user_id_update",
      value: {
        metadata: { phone_number_id: "900000000000009" },
        user_id_update: [{ wa_id: ANNA.slice(1), user_id: { previous: "US.anna1", current: "US.eve1" } }],
      },
    };
    const ours = messagesChange([wrote(EVE, { type: "text", text: { body: "hello" } })]);
    expect(await deliver([foreign, ids, ours])).toBe(200);
    await expectUntouched();
    const counted = hub.lines.findLast(({ fields }) => fields.ignored)?.fields;
    expect(counted).toMatchObject({ received: 1, ignored: { not_ours: 2 } });
  });

  test.for<[string, object]>([
    ["customer", { customer: EVE.slice(1) }],
    ["old number in its sentence", { body: `User Eve changed from ${EVE.slice(1)} to ${NEW.slice(1)}` }],
    ["new number in its sentence", { body: `User Eve changed from ${ANNA.slice(1)} to ${EVE.slice(1)}` }],
    ["new number in its older field", { new_wa_id: EVE.slice(1) }],
  ])("whose sender does not fit its %s changes nothing", async ([, more]) => {
    expect(await deliver([messagesChange([changed(ANNA, NEW, more)])])).toBe(200);
    await expectUntouched();
  });

  test("is not made by a name that looks like one", async () => {
    const name = `Eve changed from ${ANNA.slice(1)} to ${NEW.slice(1)}`;
    const body = `User ${name} changed from ${EVE.slice(1)} to 15550001667`;
    expect(await deliver([messagesChange([changed(EVE, "+15550001667", { body })])])).toBe(200);
    await expectUntouched();
    expect(await holderOf("+15550001667")).toBeDefined();
  });

  test("of a number that nobody has heard of opens no session", async () => {
    const stranger = "+15550001777";
    expect(await deliver([messagesChange([changed(stranger, NEW)])])).toBe(200);
    expect([await holderOf(stranger), await holderOf(NEW)]).toEqual([undefined, undefined]);
  });

  test.for<[string, object]>([
    ["an untyped message", { system: { type: "user_changed_number", wa_id: NEW.slice(1) } }],
    [
      "a text",
      { type: "text", text: { body: "x" }, system: { type: "user_changed_number", wa_id: NEW.slice(1) } },
    ],
    [
      "an edit",
      {
        type: "edit",
        edit: {
          original_message_id: "wamid.0",
          message: { type: "system", system: { type: "user_changed_number", wa_id: NEW.slice(1) } },
        },
      },
    ],
    ["a contact card", { type: "contacts", contacts: [{ phones: [{ phone: NEW, wa_id: NEW.slice(1) }] }] }],
  ])("is not made by %s that a customer sends", async ([, said]) => {
    expect(await deliver([messagesChange([wrote(EVE, said)])])).toBe(200);
    await expectUntouched();
  });

  test("of a user id does not bring a phone along that is somebody else's", async () => {
    const said = { type: "text", text: { body: "hi" }, from_user_id: "US.eve1" };
    await deliver([messagesChange([wrote(EVE, said)])]);
    const eve = await holderOf(EVE);
    const update = { wa_id: ANNA.slice(1), user_id: { previous: "US.eve1", current: "US.eve2" } };
    const value = { metadata: { phone_number_id: OURS }, user_id_update: [update] };
    expect(await deliver([{ field: "user_id_update", value }])).toBe(200);
    await expectUntouched();
    expect(await holderOf(EVE)).toBe(eve);
  });
});
