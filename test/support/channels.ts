import type { Fields } from "../../dev/emulators/fields.ts";
import { wrongInCall } from "../../dev/emulators/telegram-schema.ts";
import { wrongInMessage } from "../../dev/emulators/whatsapp-schema.ts";
import { hmacHex } from "../../src/core/signature.ts";
import type { PlatformAnswer } from "./fixtures.ts";
import type { SeenCall } from "./platform.ts";

/** The parts of a channel that its tests need: its settings, its signatures, its limits. */
export interface Kit {
  /** A complete configuration. `apiRoot` is the address of the fake platform. */
  readonly env: (apiRoot: string) => Record<string, string>;
  /** The required settings: all of them, or the channel is off. */
  readonly required: readonly string[];
  /** The headers with which the platform signs this body. */
  readonly sign: (body: Uint8Array) => Promise<Record<string, string>>;
  /** Headers with forged signatures. */
  readonly forge: (body: Uint8Array) => Promise<Record<string, string>[]>;
  /** The platform's answer to a call that the channel makes while it reads. */
  readonly whileReading?: PlatformAnswer;
  /** What the platform's own schema refuses in a call of the channel; undefined for a valid call. */
  readonly wrongIn: (call: SeenCall) => string | undefined;
  /** The longest text that one call may carry, in UTF-16 units. */
  readonly longest: number;
}

/** The channels that the fixture runner drives, by name; each has a folder in `test/fixtures`. */
export const kits: Readonly<Record<string, Kit>> = {
  telegram: {
    env: (apiRoot) => ({
      TELEGRAM_BOT_TOKEN: "110201543:test-bot-token",
      TELEGRAM_WEBHOOK_SECRET: "test-webhook-secret",
      TELEGRAM_API_ROOT: apiRoot,
      TELEGRAM_BUSINESS_OWNERS: "7900800700",
    }),
    required: ["TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_SECRET"],
    sign: async () => ({ "x-telegram-bot-api-secret-token": "test-webhook-secret" }),
    forge: async () =>
      [
        "",
        "test-webhook-secre",
        "test-webhook-secret2",
        "Test-Webhook-Secret",
        "110201543:test-bot-token",
      ].map((secret) => ({ "x-telegram-bot-api-secret-token": secret })),
    whileReading: { body: { ok: true, result: connection() } },
    wrongIn: ({ path, body }) => wrongInCall(path.split("/").at(-1)!, body as Fields),
    longest: 4096,
  },
  whatsapp: {
    env: (apiRoot) => ({
      WHATSAPP_ACCESS_TOKEN: "test-access-token",
      WHATSAPP_APP_SECRET: "test-app-secret",
      WHATSAPP_VERIFY_TOKEN: "test-verify-token",
      WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
      WHATSAPP_API_ROOT: apiRoot,
    }),
    required: [
      "WHATSAPP_ACCESS_TOKEN",
      "WHATSAPP_APP_SECRET",
      "WHATSAPP_VERIFY_TOKEN",
      "WHATSAPP_PHONE_NUMBER_ID",
    ],
    sign: async (body) => ({ "x-hub-signature-256": `sha256=${await hmacHex("test-app-secret", body)}` }),
    forge: async (body) => {
      const right = await hmacHex("test-app-secret", body);
      const ofOtherBytes = await hmacHex("test-app-secret", Uint8Array.of(...body, 0x20));
      const bySomebodyElse = await hmacHex("somebody-elses-secret", body);
      return [
        { "x-hub-signature-256": "" },
        { "x-hub-signature-256": "sha256=" },
        { "x-hub-signature-256": right },
        { "x-hub-signature-256": `sha1=${right}` },
        { "x-hub-signature-256": `sha256=${right.slice(0, -1)}` },
        { "x-hub-signature-256": `sha256=${right}00` },
        { "x-hub-signature-256": `sha256=${ofOtherBytes}` },
        { "x-hub-signature-256": `sha256=${bySomebodyElse}` },
        { "x-hub-signature": `sha256=${right}` },
      ];
    },
    wrongIn: ({ body }) =>
      (body as Fields).status === undefined ? wrongInMessage(body as Fields) : undefined,
    longest: 4096,
  },
};

/** A business connection of the configured owner, as `getBusinessConnection` returns it. */
export function connection(more: object = {}): object {
  const user = { id: 7900800700, is_bot: false, first_name: "Olga" };
  const rights = { can_reply: true };
  return { id: "bc-Dn3k9", user, user_chat_id: user.id, date: 1793620800, rights, is_enabled: true, ...more };
}
