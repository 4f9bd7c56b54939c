import { expect, test } from "vitest";
import type { KnownAddress } from "../../src/core/identity/proofs.ts";
import { hmacHex } from "../../src/core/signature.ts";
import { begin, ENV, post } from "../support/http.ts";
import { call, keys, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";

const PHONE = "+15550001001";
const FOREIGN = "900000000000009";
let messages = 0;

async function deliver(hub: StrictHub, field: string, key: string, said: object) {
  const message = { id: `wamid.f${++messages}`, timestamp: "1781000000", type: "text", ...said };
  const value = { metadata: { phone_number_id: FOREIGN }, [key]: [message] };
  const body = { object: "whatsapp_business_account", entry: [{ id: "1", changes: [{ field, value }] }] };
  const hmac = await hmacHex(ENV.WHATSAPP_APP_SECRET, new TextEncoder().encode(JSON.stringify(body)));
  const headers = { "x-hub-signature-256": `sha256=${hmac}` };
  expect((await call(hub, "/webhooks/whatsapp", post(body, headers))).status).toBe(200);
}

const saidThere = (hub: StrictHub, body: string) =>
  deliver(hub, "messages", "messages", { from: PHONE.slice(1), text: { body } });

test("a message from another business's app is not in the customer's history", async () => {
  const hub = strictHub();
  await onWhatsApp(hub, PHONE, "Hello");
  const echo = { to: PHONE.slice(1), from: "15550009000", text: { body: "as your operator" } };
  await deliver(hub, "smb_message_echoes", "message_echoes", echo);
  const found = await call(hub, `/session/restore?phone=${encodeURIComponent(PHONE)}`, {
    headers: keys.admin,
  });
  const path = `/api/sessions/${found.body.session.session_id}/messages`;
  const { body } = await call(hub, path, { headers: keys.admin });
  expect(body.messages.map(({ role }: any) => role)).toEqual(["user", "assistant"]);
});

test("no code is sent from another business's number, even if it is the customer's last address", async () => {
  const hub = strictHub();
  const asked: KnownAddress[] = [];
  hub.hub.channels.whatsapp!.sendCode = async (to) => void asked.push(to);
  await onWhatsApp(hub, PHONE, "Hello");
  hub.clock.now = new Date(hub.clock.now.getTime() + 60_000);
  await saidThere(hub, "Hello there");
  expect((await call(hub, "/session/verify", post({ phone: PHONE }))).status).toBe(202);
  expect(asked).toMatchObject([{ address: { phone_number_id: "103", to: PHONE.slice(1) } }]);
});

test("no link is redeemed there", async () => {
  const hub = strictHub();
  const here = await begin(hub);
  const { body } = await call(hub, "/session/link", { method: "POST", headers: here.bearer });
  const token = /link_[\w-]{32}/.exec(body.links.whatsapp)![0];
  await saidThere(hub, token);
  const { session } = (await call(hub, "/session/restore", { headers: here.bearer })).body;
  expect(session.phone).toBeNull();
});
