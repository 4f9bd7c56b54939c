import { describe, expect, test } from "vitest";
import type { Channel } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { withoutLinkToken } from "../../src/core/identity/link.ts";
import type { KnownAddress } from "../../src/core/identity/proofs.ts";
import { confirmCode, logIn, requestCode } from "../../src/core/identity/verify.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import type { Effects, InboundEvent } from "../../src/core/receive/conversations.ts";
import { sha256Hex } from "../../src/core/signature.ts";
import { anna, ben, hash, minute, said } from "../contracts/given.ts";
import { testHub } from "../support/http.ts";

const { phone, telegram_chat_id, whatsapp_user_id } = anna;

interface SentCode {
  readonly to: KnownAddress;
  readonly code: string;
}

/** A hub whose messengers take codes, unless `refuses` names them, and whose background can be waited for. */
function codeHub(refuses: readonly string[] = []) {
  const sent: SentCode[] = [];
  const published: [string, string][] = [];
  const work: Promise<unknown>[] = [];
  const channel = (name: string): Channel =>
    ({
      send: async () => "id",
      async sendCode(to: KnownAddress, code: string) {
        if (refuses.includes(name)) throw new HubError("rejected", `no ${phone}`, { reason: "blocked" });
        sent.push({ to, code });
      },
    }) as unknown as Channel;
  const { hub, lines, cache } = testHub({
    channels: { telegram: channel("telegram"), whatsapp: channel("whatsapp") },
    live: { publish: (session_id, { type }) => void published.push([session_id, type]) },
    later: (one) => void work.push(one),
    now: () => minute(0),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  const idle = async () => {
    for (let count = -1; count !== work.length; ) {
      count = work.length;
      await Promise.all(work);
    }
  };
  const hear = async (message: InboundMessage) =>
    (await hub.store.conversations.receive([{ type: "message", message }], minute(-1)))[0]!;
  return { hub, lines, cache, sent, published, idle, hear };
}

describe("a one-time code", () => {
  const ask = { phone, rate_limit_keys: [] };

  test("goes to where its owner was last heard of, behind the answer, and proves the phone", async () => {
    const { hub, sent, idle, hear } = codeHub();
    const known = await hear(said("whatsapp", { whatsapp_user_id, phone }, "1"));
    await requestCode(hub, ask);
    expect(sent).toEqual([]);
    await idle();
    expect(sent).toMatchObject([
      {
        to: { channel: "whatsapp", address: { to: "whatsapp address" } },
        code: expect.stringMatching(/^\d{6}$/),
      },
    ]);
    const proof = { phone, code: sent[0]!.code, new_token_hash: hash(1), channel: "web" };
    const session = await confirmCode(hub, proof);
    expect(session.session_id).toBe(known.message!.session_id);
    expect(Object.keys(session)).not.toContain("closed");
  });

  test("goes to the next place when the first refuses, and the log names neither code nor phone", async () => {
    const { hub, lines, sent, idle, hear } = codeHub(["telegram"]);
    await hear(said("whatsapp", { whatsapp_user_id, phone }, "1"));
    await hear(said("telegram", { telegram_chat_id, phone }, "2"));
    await requestCode(hub, ask);
    await idle();
    expect(sent).toMatchObject([{ to: { channel: "whatsapp" } }]);
    expect(lines.filter(({ event }) => event.startsWith("code."))).toEqual([
      {
        level: "warn",
        event: "code.failed",
        fields: { channel: "telegram", code: "rejected", reason: "blocked" },
      },
      { level: "info", event: "code.sent", fields: { channel: "whatsapp" } },
    ]);
    for (const secret of [phone, sent[0]!.code]) expect(JSON.stringify(lines)).not.toContain(secret);
  });

  test("is asked for by a stranger without a difference", async () => {
    const { hub, sent, idle } = codeHub();
    expect(await requestCode(hub, { phone: ben.phone, rate_limit_keys: [] })).toBeUndefined();
    await idle();
    expect(sent).toEqual([]);
  });

  test("is any of a million", async () => {
    const { hub, sent, idle, hear } = codeHub();
    for (let i = 0; i < 200; i++) {
      const one = `+49151200${String(i).padStart(5, "0")}`;
      await hear(said("whatsapp", { phone: one }, `${i}`));
      await requestCode(hub, { phone: one, rate_limit_keys: [] });
    }
    await idle();
    const codes = sent.map(({ code }) => code);
    expect(new Set(codes).size).toBeGreaterThan(195);
    expect(codes.some((code) => code.startsWith("0"))).toBe(true);
    expect(codes.every((code) => /^\d{6}$/.test(code))).toBe(true);
  });

  test("that does not fit is refused", async () => {
    const { hub } = codeHub();
    const proof = { phone, code: "000000", new_token_hash: hash(1), channel: "web" };
    await expect(confirmCode(hub, proof)).rejects.toMatchObject({ code: "code_invalid" });
  });
});

test("a proof tells the cache of dead tokens, and open devices to look again", async () => {
  const { hub, cache, published, idle } = codeHub();
  const { sessions, proofs } = hub.store;
  const known = await sessions.start(
    { identities: { phone }, channel: "web", token_hash: hash(1) },
    minute(-2),
  );
  await proofs.signUp({ token_hash: hash(1), password: "long enough" }, minute(-2));
  const start = { identities: { visitor_id: "v" }, channel: "web", token_hash: hash(2) };
  const anonymous = await sessions.start(start, minute(-1));
  const session = await logIn(hub, {
    phone,
    password: "long enough",
    token_hash: hash(2),
    new_token_hash: hash(3),
    channel: "web",
    rate_limit_keys: [],
  });
  await idle();
  expect(session.session_id).toBe(known.session_id);
  for (const key of ["merged", "closed", "notified", "deliveries"] satisfies (keyof Effects)[])
    expect(session).not.toHaveProperty(key);
  // The phone's own session became one with it: whoever holds its other tokens has to prove again.
  const gone = { token_hashes: [hash(1), hash(2)], session_ids: [anonymous.session_id], changed: [] };
  expect(cache.calls).toEqual([["drop", gone.token_hashes, gone]]);
  expect(published).toEqual([
    [anonymous.session_id, "closed"],
    [anonymous.session_id, "closed"],
    [known.session_id, "closed"],
    [known.session_id, "closed"],
    [anonymous.session_id, "moved"],
    [known.session_id, "moved"],
  ]);
});

describe("a link token", () => {
  const token = `link_${"aB3-_".repeat(6)}xy`;
  const message = (text: string): InboundEvent => ({
    type: "message",
    message: said("telegram", { telegram_chat_id }, "1", { content: { kind: "text", text } }),
  });

  test.for([`/start ${token}`, token, `Hello\n${token}, please`])(
    "is found in %j, and only its hash goes on",
    async (text) => {
      const item = await withoutLinkToken(message(text));
      expect(JSON.stringify(item)).not.toContain(token);
      expect(item).toMatchObject({
        message: {
          link_hash: await sha256Hex(token),
          content: { kind: "system", event: "linked" },
          wakes: false,
        },
      });
    },
  );

  test.for([`x${token}`, `${token}x`, token.slice(0, -1), "/start", "link_", ""])(
    "is not %j",
    async (text) => {
      const item = message(text);
      expect(await withoutLinkToken(item)).toEqual(item);
    },
  );

  test("is cut out of an edit", async () => {
    const content = { kind: "text", text: `see ${token}` } as const;
    const edit = { channel: "telegram", account: "bot-1", external_id: "1", content };
    expect(await withoutLinkToken({ type: "edit", edit })).toEqual({
      type: "edit",
      edit: { ...edit, content: { kind: "text", text: "see link_…" } },
    });
  });
});
