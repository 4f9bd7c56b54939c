import { expect, test } from "vitest";
import { post } from "../support/http.ts";
import { askCode, call, keys, onTelegram, onWhatsApp, type StrictHub, strictHub } from "../support/people.ts";

const PHONE = "+4915112340001";
const THIEFS = "+4915112340666";
const password = "the thief's own password";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** A customer who proved their phone a while ago, and whose token a thief holds too. */
async function leaked(minutes = 15) {
  const hub = strictHub();
  await onWhatsApp(hub, PHONE, "CANARY");
  const code = await askCode(hub, PHONE);
  const { body } = await call(hub, "/session/verify", post({ phone: PHONE, code }));
  hub.clock.now = new Date(hub.clock.now.getTime() + minutes * 60_000);
  return { hub, token: body.session_token, headers: bearer(body.session_token), id: body.session.session_id };
}

/** Lets the customer sign the stolen device out, as an operator would. */
async function revoke(hub: StrictHub, id: string): Promise<void> {
  const { body } = await call(hub, `/api/sessions/${id}/devices`, { headers: keys.admin });
  for (const { device_id } of body.devices)
    await call(hub, `/api/sessions/${id}/devices/${device_id}`, { method: "DELETE", headers: keys.admin });
}

test("a thief of a token cannot set a password, and is asked for a proof", async () => {
  const { hub, headers } = await leaked();
  const answer = await call(hub, "/auth/signup", post({ password }, headers));
  expect([answer.status, answer.code]).toEqual([403, "verification_required"]);
  expect(answer.body.error.message).toContain("POST /session/verify");
  const login = { phone: PHONE, password, channel: "web" };
  expect((await call(hub, "/auth/login", post(login))).code).toBe("password_invalid");
  const change = await call(hub, "/auth/password", post({ password, new_password: password }, headers));
  expect(change.code).toBe("password_invalid");
});

test("a thief of a token cannot link a messenger, to which codes would be sent", async () => {
  const { hub, headers } = await leaked();
  const answer = await call(hub, "/session/link", { method: "POST", headers });
  expect([answer.status, answer.code]).toEqual([403, "verification_required"]);
  expect(answer.body.links).toBeUndefined();
});

test("a thief of a token who proves a phone of theirs leaves the customer's session", async () => {
  const { hub, headers, id } = await leaked();
  await onWhatsApp(hub, THIEFS, "Hello");
  for (const kind of ["phone", "whatsapp_user_id"]) {
    const path = `/session/identities/${kind}`;
    expect((await call(hub, path, { method: "DELETE", headers })).code).toBe("verification_required");
  }
  const code = await askCode(hub, THIEFS, headers);
  const { body } = await call(hub, "/session/verify", post({ phone: THIEFS, code }, headers));
  expect(body.session.session_id).not.toBe(id);
  const history = await call(hub, "/session/messages", { headers: bearer(body.session_token) });
  expect(JSON.stringify([body, history.body])).not.toContain("CANARY");
});

test("a thief of a token loses access as soon as it ends", async () => {
  const { hub, headers, id } = await leaked();
  await onWhatsApp(hub, THIEFS, "Hello");
  await onTelegram(hub, 666, "Hello");
  const link = (await call(hub, "/session/link", { method: "POST", headers })).body;
  for (const path of ["/session/restore?channel=kiosk", "/session/devices", "/session/messages"])
    expect((await call(hub, path, { headers })).status).toBe(200);
  await call(hub, "/auth/signup", post({ password }, headers));
  await revoke(hub, id);
  if (link.links) await onTelegram(hub, 666, `/start ${link.links.telegram.split("start=")[1]}`);
  const ways = [
    call(hub, "/session/restore", { headers }),
    call(hub, "/auth/login", post({ phone: PHONE, password, channel: "web" })),
    call(hub, "/session/restore?telegram_chat_id=666", { headers: keys.web }),
    call(hub, `/session/restore?phone=${encodeURIComponent(THIEFS)}`, { headers: keys.web }),
  ];
  for (const { body } of await Promise.all(ways)) expect(body.session?.session_id).not.toBe(id);
});
