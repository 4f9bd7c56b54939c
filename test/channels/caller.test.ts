import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { callerMessageSchema } from "../../src/channels/caller.ts";
import kiosk from "../../src/channels/kiosk.ts";
import web from "../../src/channels/web.ts";
import type { WebhookRequest } from "../../src/core/channel.ts";
import { HubError } from "../../src/core/errors.ts";
import { contentSchema } from "../../src/core/messages/content.ts";
import type { InboundMessage } from "../../src/core/messages/message.ts";
import { sha256Hex } from "../../src/core/signature.ts";

const TOKEN = "hst_Zm9vYmFyLXRva2VuLTEyMzQ1Njc4OTA";
const SESSION = "6f1f2a3e-0d7c-4c1a-9b7e-2a53d1f0c9aa";
const env = {
  KIOSK_API_KEY: "kiosk-key, kiosk-key-new",
  WEB_API_KEY: "web-key",
  ADMIN_API_KEY: "admin-key,",
  DEFAULT_COUNTRY: "BR",
  KIOSK_PHONE_POLICY: "trust",
};

function post(body: unknown, headers: Record<string, string> = {}): WebhookRequest {
  const bytes = body instanceof Uint8Array ? body : new TextEncoder().encode(JSON.stringify(body));
  return { method: "POST", query: new URLSearchParams(), headers: new Headers(headers), body: bytes };
}

async function refusal(work: Promise<unknown>): Promise<HubError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof HubError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe.each([
  { name: "kiosk", channel: kiosk(env), bare: kiosk({}), key: "kiosk-key", foreign: "web-key" },
  { name: "web", channel: web(env), bare: web({}), key: "web-key", foreign: "kiosk-key" },
])("$name", ({ name, channel, bare, key, foreign }) => {
  const trusted = { "x-api-key": key };
  const own = { authorization: `Bearer ${TOKEN}` };
  const message = async (
    body: unknown,
    headers: Record<string, string> = trusted,
  ): Promise<InboundMessage> => {
    const inbound = await channel.parse(post(body, headers));
    expect(inbound).toHaveLength(1);
    const [first] = inbound;
    if (first?.type !== "message") throw new Error("no message");
    return first.message;
  };
  const malformed = async (body: unknown, headers: Record<string, string> = trusted) => {
    const error = await refusal(channel.parse(post(body, headers)));
    expect(error.code).toBe("malformed");
    return error.message;
  };
  const hello = { external_id: "m-1", phone: "+5511987654321", text: "hello" };

  describe("believes", () => {
    test.for<[string, Record<string, string>]>([
      ["its API key", { "x-api-key": key }],
      ["its API key as a bearer", { authorization: `Bearer ${key}` }],
      ["its API key as a bearer in small letters", { authorization: `bearer ${key}` }],
      ["the admin's key", { "x-api-key": "admin-key" }],
      ["a session token as a bearer", { authorization: `Bearer ${TOKEN}` }],
      ["a session token in its own header", { "x-session-token": TOKEN }],
      ["its API key together with a session token", { "x-api-key": key, "x-session-token": TOKEN }],
    ])("%s", async ([, headers]) => {
      await expect(channel.verify(post(hello, headers))).resolves.toBeUndefined();
    });

    test.for<[string, Record<string, string>]>([
      ["nothing at all", {}],
      ["an empty key", { "x-api-key": "" }],
      ["an empty bearer", { authorization: "Bearer " }],
      ["the other channel's key", { "x-api-key": foreign }],
      ["a key's beginning", { "x-api-key": key.slice(0, -1) }],
      ["the whole list as a key", { "x-api-key": env.KIOSK_API_KEY }],
      ["a key in another scheme", { authorization: `Basic ${key}` }],
      ["a key where a token belongs", { "x-session-token": key }],
      ["a token where a key belongs", { "x-api-key": TOKEN }],
      ["a token of impossible characters", { "x-session-token": "hst_a b" }],
      ["a token of impossible length", { "x-session-token": `hst_${"a".repeat(201)}` }],
      ["a token with a wrong key beside it", { "x-api-key": "wrong", "x-session-token": TOKEN }],
    ])("not %s", async ([, headers]) => {
      expect((await refusal(channel.verify(post(hello, headers)))).code).toBe("unauthorized");
    });

    test("no API key when none is configured, but a session token", async () => {
      for (const guess of ["", key, "undefined", "admin-key"])
        expect((await refusal(bare.verify(post(hello, { "x-api-key": guess })))).code).toBe("unauthorized");
      await expect(bare.verify(post(hello, own))).resolves.toBeUndefined();
    });
  });

  describe("reads", () => {
    test("a text of a customer whose phone the caller vouches for", async () => {
      expect(await message({ ...hello, phone: "(11) 8765-4321" })).toEqual({
        channel: name,
        external_id: "m-1",
        from: { phone: "+5511987654321" },
        address: {},
        content: { kind: "text", text: "hello" },
        wakes: true,
      });
    });

    test("a text for a session that the caller names", async () => {
      const { from } = await message({ external_id: "m-1", session: SESSION.toUpperCase(), text: "hello" });
      expect(from).toEqual({ session_id: SESSION });
    });

    test("a text of a token's own session, by the token's hash", async () => {
      const expected = { token_hash: await sha256Hex(TOKEN) };
      const body = { external_id: "m-1", text: "hello" };
      expect((await message(body, own)).from).toEqual(expected);
      expect((await message(body, { "x-session-token": TOKEN })).from).toEqual(expected);
      expect((await message(body, { ...trusted, "x-session-token": TOKEN })).from).toEqual(expected);
    });

    test("what it answers and when it was sent", async () => {
      const read = await message({ ...hello, reply_to: "m-0", sent_at: "2026-11-01T12:00:00+02:00" });
      expect(read.reply_to).toBe("m-0");
      expect(read.sent_at).toEqual(new Date("2026-11-01T10:00:00Z"));
    });

    test("content of every kind but those that only platforms have", async () => {
      const media = { id: "file-1" };
      const contents = [
        { kind: "text", text: "hi" },
        { kind: "image", media, caption: "look" },
        { kind: "video", media },
        { kind: "audio", media, voice: true },
        { kind: "document", media },
        { kind: "sticker", media },
        { kind: "location", latitude: 1, longitude: 2 },
        { kind: "contact", contacts: [{ phones: ["+1"] }], own: false },
        { kind: "interaction", interaction: "button", id: "yes" },
        { kind: "reaction", emoji: "👍" },
        { kind: "order", items: [{ product_id: "tea", quantity: 1 }] },
      ];
      for (const content of contents)
        expect((await message({ ...hello, text: undefined, content })).content).toEqual(content);
      const kinds = contentSchema.options.map((option) => option.shape.kind.value);
      expect([...contents.map(({ kind }) => kind), "system", "unsupported"]).toEqual(kinds);
      for (const content of [
        { kind: "system", event: "x" },
        { kind: "unsupported", type: "x" },
      ])
        expect(await malformed({ ...hello, text: undefined, content })).toMatch(/^content\.kind: /);
    });

    test("a reaction, which wakes nobody", async () => {
      const content = { kind: "reaction", emoji: null };
      expect((await message({ ...hello, text: undefined, content, reply_to: "m-0" })).wakes).toBe(false);
    });

    test("a contact card as somebody's, whatever the caller says", async () => {
      const content = { kind: "contact", contacts: [{ phones: ["+5511987654321"] }], own: true };
      for (const headers of [trusted, own])
        expect(
          (
            await message(
              { external_id: "m-1", ...(headers === trusted && { session: SESSION }), content },
              headers,
            )
          ).content,
        ).toMatchObject({ own: false });
    });

    test("what it knows and nothing else", async () => {
      const content = { kind: "image", media: { id: "f" } };
      const read = await message({ ...hello, text: undefined, content });
      expect(Object.keys(read).sort()).toEqual([
        "address",
        "channel",
        "content",
        "external_id",
        "from",
        "wakes",
      ]);
      expect(read.content).toEqual({ kind: "image", media: { id: "f" } });
    });

    test("poisoned text as text that can be stored", async () => {
      const read = await message({ ...hello, external_id: "a\0", text: "a\0b\ud800" });
      expect(read.external_id).toBe("a\ufffd");
      expect(read.content).toEqual({ kind: "text", text: "a\ufffdb\ufffd" });
    });

    test("keys that mean the prototype as nothing, in a form's answers", async () => {
      const form = `{"external_id":"m","session":"${SESSION}","content":{"kind":"interaction","interaction":"form","data":{"__proto__":{"x":1},"a":1}}}`;
      expect((await message(new TextEncoder().encode(form))).content).toEqual({
        kind: "interaction",
        interaction: "form",
        data: { a: 1 },
      });
    });
  });

  describe("refuses as malformed", () => {
    test("a field that it does not know, by its name and without its value", async () => {
      const content = { kind: "image", media: { id: "f", url: "https://u:p@x.test/" } };
      for (const [body, message] of [
        [{ ...hello, token: "t", channel: "whatsapp" }, "body: unknown fields token, channel"],
        [{ ...hello, text: undefined, content }, "content.media: unknown field url"],
        [
          `{"external_id":"m","session":"${SESSION}","text":"t","__proto__":{"phone":"+1"}}`,
          "body: unknown field __proto__",
        ],
      ] as const) {
        const bytes = new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
        const error = await refusal(channel.parse({ ...post(hello), body: bytes }));
        expect([error.code, error.message]).toEqual(["malformed", message]);
      }
    });

    const image = (id: unknown) => ({ ...hello, text: undefined, content: { kind: "image", media: { id } } });

    test.for<[string, unknown, string]>([
      ["an array", [hello], "body"],
      ["null", null, "body"],
      ["a message without an id", { ...hello, external_id: undefined }, "external_id"],
      ["an empty id", { ...hello, external_id: "" }, "external_id"],
      ["a number as an id", { ...hello, external_id: 7 }, "external_id"],
      ["an id of 201 characters", { ...hello, external_id: "x".repeat(201) }, "external_id"],
      ["an id to reply to of 201 characters", { ...hello, reply_to: "x".repeat(201) }, "reply_to"],
      ["neither text nor content", { ...hello, text: undefined }, "text"],
      ["both text and content", { ...hello, content: { kind: "text", text: "x" } }, "text"],
      ["an empty text", { ...hello, text: "" }, "text"],
      ["a text of 16385 characters", { ...hello, text: "x".repeat(16_385) }, "text"],
      [
        "an empty text as content",
        { ...hello, text: undefined, content: { kind: "text", text: "" } },
        "content.text",
      ],
      ["content of no kind", { ...hello, text: undefined, content: {} }, "content.kind"],
      [
        "content of 33000 characters",
        { ...hello, text: undefined, content: { kind: "order", items: [], note: "x".repeat(33_000) } },
        "content",
      ],
      ["a file without an id", image(""), "content.media.id"],
      ["a file's id of 513 characters", image("x".repeat(513)), "content.media.id"],
      ["a URL as a file's id", image("https://user:secret@files.test/1?token=abc"), "content.media.id"],
      ["a URL without a scheme", image("//files.test/1"), "content.media.id"],
      ["a file in a URL", image("data:image/png;base64,AAAA"), "content.media.id"],
      ["an address without slashes", image("https:127.0.0.1"), "content.media.id"],
      ["a script", image("vbscript:x"), "content.media.id"],
      ["a path", image("/etc/passwd"), "content.media.id"],
      ["a path upwards", image("../x"), "content.media.id"],
      ["a query", image("x?y=1"), "content.media.id"],
      ["a phone that is none", { ...hello, phone: "call me" }, "phone"],
      ["a phone of 65 characters", { ...hello, phone: "1".repeat(65) }, "phone"],
      ["a session that is no id", { ...hello, phone: undefined, session: "mine" }, "session"],
      ["neither phone nor session", { ...hello, phone: undefined }, "phone"],
      ["both phone and session", { ...hello, session: SESSION }, "phone"],
      ["a time that is none", { ...hello, sent_at: "yesterday" }, "sent_at"],
      ["a time without a zone", { ...hello, sent_at: "2026-11-01T12:00:00" }, "sent_at"],
      ["a time that no calendar has", { ...hello, sent_at: "2026-02-30T12:00:00Z" }, "sent_at"],
      ["a time before Postgres's", { ...hello, sent_at: "0000-01-01T00:00:00Z" }, "sent_at"],
      ["a time past the year 9999", { ...hello, sent_at: "9999-12-31T23:59:59-23:00" }, "sent_at"],
    ])("%s, naming the field", async ([, body, path]) => {
      expect(await malformed(body)).toMatch(new RegExp(`^${path.replaceAll(".", "\\.")}: `));
    });

    test("a token that names a phone or a session", async () => {
      const body = { external_id: "m-1", text: "hello" };
      for (const headers of [own, { ...trusted, "x-session-token": TOKEN }]) {
        expect(await malformed({ ...body, phone: "+5511987654321" }, headers)).toBe(
          "phone: a token speaks for its own session only",
        );
        expect(await malformed({ ...body, session: SESSION }, headers)).toBe(
          "session: a token speaks for its own session only",
        );
      }
    });

    test("a body that is no JSON", async () => {
      expect(await malformed(new TextEncoder().encode('{"external_id":'))).toBe("the body is not valid JSON");
      expect(await malformed(new Uint8Array())).toBe("the body is not valid JSON");
    });

    test("whatever it cannot read, without telling what was in it", async () => {
      const secret = "Secret7";
      // The name of an unknown field is told.
      const NAME = "unheard_of";
      const odd = fc.oneof(
        fc.constantFrom(
          secret,
          `+${secret}`,
          `https://${secret}/`,
          [secret],
          { [NAME]: secret },
          -1,
          null,
          true,
          "",
        ),
        fc.jsonValue({ maxDepth: 2 }),
      );
      const fields = fc.record(
        Object.fromEntries(
          ["external_id", "phone", "session", "text", "reply_to", "sent_at"].map((field) => [field, odd]),
        ),
        { requiredKeys: [] },
      );
      const content = fc.oneof(
        odd,
        fc.record({
          kind: fc.constantFrom("image", "audio", secret),
          media: odd,
          caption: odd,
          context: odd,
        }),
        fc.record({ kind: fc.constant("interaction"), interaction: odd, data: odd }),
        fc.constant({ kind: "text", text: "t", context: { referral: { [secret]: 1 } } }),
      );
      await fc.assert(
        fc.asyncProperty(
          fields,
          fc.option(content, { nil: undefined }),
          fc.boolean(),
          async (given, posted, byToken) => {
            try {
              await channel.parse(
                post({ external_id: "m", ...given, content: posted }, byToken ? own : trusted),
              );
            } catch (error) {
              expect(error).toBeInstanceOf(HubError);
              expect((error as HubError).code).toBe("malformed");
              expect((error as HubError).message).not.toContain(secret);
            }
          },
        ),
        { numRuns: 500 },
      );
    });
  });

  test("cuts a reply into nothing to send, and sends nothing", async () => {
    expect(channel.split({ kind: "text", text: "x".repeat(10_000) })).toEqual([]);
    const { code } = await refusal(
      channel.send({}, { kind: "text", text: "x" }, new AbortController().signal),
    );
    expect(code).toBe("rejected");
  });
});

test("a country that is none is refused at start, by its name", () => {
  for (const make of [kiosk, web])
    expect(() => make({ DEFAULT_COUNTRY: "Brazil" })).toThrow(/DEFAULT_COUNTRY must be a country/);
});

test("what callers post can be described in JSON Schema", () => {
  const schema = z.toJSONSchema(callerMessageSchema, { io: "input" }) as {
    required: string[];
    properties: object;
  };
  expect(schema.required).toEqual(["external_id"]);
  expect(Object.keys(schema.properties)).toEqual([
    "external_id",
    "phone",
    "session",
    "text",
    "content",
    "reply_to",
    "sent_at",
  ]);
});

test("each is posted to with keys of its own, and only a kiosk's tokens die without use", () => {
  expect([kiosk(env).postedWith, web(env).postedWith]).toEqual(["kiosk", "web"]);
  expect([kiosk({}).tokenIdleMs, kiosk({ KIOSK_IDLE_SECONDS: "60" }).tokenIdleMs]).toEqual([120_000, 60_000]);
  expect(web(env).tokenIdleMs).toBeUndefined();
  expect(() => kiosk({ KIOSK_IDLE_SECONDS: "1" })).toThrow("KIOSK_IDLE_SECONDS must be at least 10");
});

describe("a kiosk whose word proves nothing", () => {
  const strict = kiosk({ ...env, KIOSK_PHONE_POLICY: "verify" });
  const hello = { external_id: "m-1", phone: "+5511987654321", text: "hello" };
  const parsed = async (body: object, headers: Record<string, string>) => {
    await strict.verify(post(body, headers));
    const [first] = await strict.parse(post(body, headers));
    return first?.type === "message" ? first.message : undefined;
  };

  test("is the default", async () => {
    const { KIOSK_PHONE_POLICY: _, ...rest } = env;
    const [first] = await kiosk(rest).parse(post(hello, { "x-api-key": "kiosk-key" }));
    expect(first).toMatchObject({ message: { claimed: true } });
  });

  test("claims a phone", async () => {
    expect(await parsed(hello, { "x-api-key": "kiosk-key-new" })).toMatchObject({
      from: { phone: hello.phone },
      claimed: true,
    });
  });

  test("names no session, whose id is no secret", async () => {
    const refused = await refusal(
      parsed({ ...hello, phone: undefined, session: SESSION }, { "x-api-key": "kiosk-key" }),
    );
    expect(refused.code).toBe("verification_required");
  });

  test("posts with a token as that session", async () => {
    const body = { external_id: "m-1", text: "hello" };
    for (const headers of [
      { "x-session-token": TOKEN },
      { "x-api-key": "kiosk-key", "x-session-token": TOKEN },
    ]) {
      const message = await parsed(body, headers);
      expect(message?.from).toEqual({ token_hash: await sha256Hex(TOKEN) });
      expect(message).not.toHaveProperty("claimed");
    }
  });

  test("is believed where an admin's key speaks", async () => {
    const message = await parsed(hello, { "x-api-key": "admin-key" });
    expect(message).toMatchObject({ from: { phone: hello.phone } });
    expect(message).not.toHaveProperty("claimed");
  });
});
