import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { channels } from "../../src/channels/index.ts";
import { contentSchema } from "../../src/core/messages/content.ts";
import type { Inbound } from "../../src/core/messages/message.ts";
import { kits } from "../support/channels.ts";
import { bytesOf, fixturesWith, jsonFiles, type RequestFixture, toRequest } from "../support/fixtures.ts";
import { withPlatform } from "../support/platform.ts";
import { expectSound, inWords } from "../support/sound.ts";

/** A folder of recorded bodies beside the project, if there is one. */
const SHARED = "../shared/fixtures";

/** The expected events of each kind of recorded body; several where its files differ. Other kinds are only parsed. */
const SAYS: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>> = {
  whatsapp: {
    account_update: "ignored account",
    audio: "message audio",
    "audio-voice": "message audio",
    bsuid: "message text",
    button: "message interaction",
    calls: "ignored call",
    contacts: "message contact",
    "context-forwarded": "message text",
    "context-reply": "message text",
    document: "message document",
    edit: "edit image",
    "envelope-odd": ["message text", "ignored unknown"],
    errors: "message unsupported",
    "foreign-object": "ignored foreign",
    "group-status": "ignored group",
    image: "message image",
    "interactive-button_reply": "message interaction",
    "interactive-call_permission_reply": "message interaction, quiet",
    "interactive-list_reply": "message interaction",
    "interactive-nfm_reply": "message interaction",
    location: "message location",
    "no-sender": "ignored no_sender",
    order: "message order",
    "reaction-add": "message reaction, quiet",
    "reaction-remove": "message reaction, quiet",
    referral: "message text",
    revoke: "edit to nothing",
    signed: "message text",
    /** The first file has no real sender: its ids are placeholders. */
    smb_message_echoes: ["ignored no_sender", "edit to nothing", "edit text"],
    "status-delivered": "receipt delivered",
    "status-failed": "receipt failed",
    "status-played": "receipt played",
    "status-read": "receipt read",
    "status-sent": "receipt sent",
    sticker: "message sticker",
    "system-identity_changed": "ignored unknown",
    "system-number_changed": "identity_change",
    "system-user_id_changed": "identity_change",
    template_category: "template",
    template_components: "template",
    template_quality: "template",
    template_status: "template",
    text: "message text",
    "unknown-shape": "ignored unknown",
    unsupported: "message unsupported",
    user_id_update: "identity_change",
    user_preferences: "ignored preferences",
    video: "message video",
  },
  telegram: {
    audio: "message audio",
    callback_query: ["message interaction", "ignored group"],
    channel_post: "ignored group",
    command: "message text",
    document: "message document",
    edited_message: "edit text",
    entities: ["message text", "ignored group"],
    "group-message": "ignored group",
    "message-text": "message text",
    message_reaction: ["message reaction, quiet", "ignored group"],
    photo: "message image",
    "photo-album": "message image",
    reply: "message text",
    rich_message: ["message text", "message unsupported"],
    video: "message video",
    video_note: "message video",
    voice: "message audio",
  },
};

test("the project's fixtures cover every kind of content and event that a platform can send", async () => {
  const met = new Set<string>();
  for (const name of Object.keys(kits)) {
    for (const [, { request }] of fixturesWith<RequestFixture>(name, "request")) {
      const said = await read(name, bytesOf(request)).catch((): Inbound[] => []);
      expectSound(said);
      for (const item of said) {
        met.add(item.type);
        if (item.type === "message") met.add(item.message.content.kind);
      }
    }
  }
  const kinds = contentSchema.options
    .map(({ shape }) => shape.kind.value)
    .filter((kind) => kind !== "system");
  const news = ["message", "echo", "receipt", "edit", "identity_change", "ignored"];
  expect([...met]).toEqual(expect.arrayContaining([...kinds, ...news]));
});

describe.each(existsSync(SHARED) ? Object.keys(kits) : [])("recorded on %s", (name) => {
  test.for(jsonFiles(`${SHARED}/${name}`))("%s", async ([file, body]) => {
    const said = await read(name, bytesOf({ body }));
    expectSound(said);
    const expected = SAYS[name]?.[file.replace(/-\d+$/, "")];
    expect(said).toHaveLength(1);
    if (expected !== undefined) expect([expected].flat()).toContain(inWords(said[0]!));
  });
});

async function read(name: string, body: Uint8Array): Promise<Inbound[]> {
  const kit = kits[name]!;
  const request = toRequest(body, await kit.sign(body));
  return withPlatform([kit.whileReading ?? {}], async (apiRoot) => {
    const [, number] = /"phone_number_id":"([\w-]+)"/.exec(new TextDecoder().decode(body)) ?? [];
    const ours = name === "whatsapp" && number !== undefined ? { WHATSAPP_PHONE_NUMBER_ID: number } : {};
    const channel = channels[name]!({ ...kit.env(apiRoot), ...ours })!;
    await channel.verify(request);
    return channel.parse(request);
  });
}
