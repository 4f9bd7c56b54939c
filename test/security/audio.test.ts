import { Redis as Client } from "@upstash/redis";
import type sqlDriver from "postgres";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Redis } from "../../dev/services/redis.ts";
import { hmacHex } from "../../src/core/signature.ts";
import type { Store } from "../../src/core/store.ts";
import { watchJournal } from "../../src/outage/watch.ts";
import { withJournal } from "../../src/outage/with-journal.ts";
import { upstashJournal } from "../../src/stores/journal.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { noCache, upstashCache } from "../../src/stores/upstash.ts";
import { settings } from "../contracts/given.ts";
import { begin, ENV, post } from "../support/http.ts";
import { withFaults } from "../support/outage.ts";
import { call, keys, type StrictHub, strictHub } from "../support/people.ts";
import { redis as startRedis } from "../support/stack.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, owner, empty } = bothTransports({ max: 8 });
const [[, direct]] = transports as [(typeof transports)[number]];
const PHONE = "+4915112340001";
/** The beginning of an Ogg file, and the same in base64 and hex: what a stored recording would contain. */
const OGG = ["OggS", "T2dnUw", "4f676753"];
const URL_OF_AUDIO = "https://lookaside.example/audio?mid=5004&token=SECRET-URL";
const VOICE = { kind: "audio", voice: true };

let redis: Redis;
let client: Client;
beforeAll(async () => {
  redis = await startRedis();
  client = new Client({ url: redis.url, token: redis.token, enableTelemetry: false });
});
beforeEach(async () => {
  await empty();
  await client.flushall();
});

/** Each channel's voice message with a file id, and what its platform says beside it. */
const CHANNELS: Record<string, (hub: StrictHub, file: string) => Promise<number>> = {
  async telegram(hub, file_id) {
    const voice = { file_id, file_unique_id: "u-1", duration: 6, mime_type: "audio/ogg", file_size: 20_000 };
    const from = { id: 7, is_bot: false, first_name: "A" };
    const message = { message_id: 1, date: 1781000000, chat: { id: 7, type: "private" }, from };
    const headers = { "x-telegram-bot-api-secret-token": ENV.TELEGRAM_WEBHOOK_SECRET };
    const update = {
      update_id: 1,
      message: { ...message, voice: { ...voice, bytes: OGG[1], url: URL_OF_AUDIO } },
    };
    return (await call(hub, "/webhooks/telegram", post(update, headers))).status;
  },
  async whatsapp(hub, id) {
    const audio = {
      id,
      mime_type: "audio/ogg",
      voice: true,
      url: URL_OF_AUDIO,
      data: OGG[1],
      sha256: "c2hh",
    };
    const from = PHONE.slice(1);
    const value = {
      messaging_product: "whatsapp",
      metadata: { display_phone_number: "15550001111", phone_number_id: "103" },
      contacts: [{ profile: { name: "A" }, wa_id: from }],
      messages: [{ id: "wamid.1", timestamp: "1781000000", type: "audio", from, audio }],
    };
    const body = {
      object: "whatsapp_business_account",
      entry: [{ id: "1", changes: [{ field: "messages", value }] }],
    };
    const bytes = new TextEncoder().encode(JSON.stringify(body));
    const signature = `sha256=${await hmacHex(ENV.WHATSAPP_APP_SECRET, bytes)}`;
    return (await call(hub, "/webhooks/whatsapp", post(body, { "x-hub-signature-256": signature }))).status;
  },
  async web(hub, id) {
    const { bearer } = await begin(hub);
    const body = { external_id: "1", content: { ...VOICE, media: { id, mime_type: "audio/ogg" } } };
    return (await call(hub, "/webhooks/web", post(body, bearer))).status;
  },
  async kiosk(hub, id) {
    const body = { external_id: "1", phone: "+4915112340009", content: { ...VOICE, media: { id } } };
    return (await call(hub, "/webhooks/kiosk", post(body, keys.kiosk))).status;
  },
};

function openHub(wrap: (store: Store) => Store = (store) => store): StrictHub {
  const { url, token } = redis;
  const log = () => {};
  const cache = upstashCache({ url, token, ttlSeconds: 3_600, log, timeoutMs: 5_000 });
  const hub = strictHub({}, { store: wrap(sqlStore(direct(), settings)), cache });
  hub.clock.now = new Date();
  return hub;
}

/** Every row of every table, and every value in Redis, as text. */
async function everythingStored(sql: sqlDriver.Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'hub')`;
  const rows = await Promise.all(
    tables.map(({ name }) => sql.unsafe(`select '${name} ' || t::text as row from ${name} t`)),
  );
  const values = await Promise.all(
    (await client.keys("*")).map(async (key) => `${key} ${JSON.stringify(await readKey(key))}`),
  );
  return [...rows.flat().map(({ row }) => row as string), ...values].join("\n");
}

/** The value of a key in Redis, whatever its type. */
async function readKey(key: string): Promise<unknown> {
  const type: string = await client.type(key);
  switch (type) {
    case "stream":
      return client.xrange(key, "-", "+");
    case "hash":
      return client.hgetall(key);
    case "zset":
      return client.zrange(key, 0, -1);
    case "string":
      return client.get(key);
    default:
      throw new Error(`${key} is a ${type}`);
  }
}

const expectNoRecording = (stored: string) => {
  for (const trace of [...OGG, "data:audio", URL_OF_AUDIO, "SECRET-URL", "https://"])
    expect(stored).not.toContain(trace);
};

describe.each(Object.keys(CHANNELS))("a voice message on %s", (channel) => {
  const file = `FILE-${channel}-1`;
  const speak = CHANNELS[channel]!;

  test("leaves no audio and no URL, and its file's id goes with the message", async () => {
    const hub = openHub();
    expect(await speak(hub, file)).toBe(200);
    const stored = await everythingStored(owner());
    expect(stored).toContain(file);
    expectNoRecording(stored);

    const later = new Date(hub.clock.now.getTime() + 1_000);
    const retention = { now: later, messages_before: later };
    await hub.hub.store.housekeeping.purge(new Date(0), 100, retention);
    const kept = await everythingStored(owner());
    expect(kept).toContain("sessions"); // The session lives; only its messages are over.
    expect(kept).not.toContain(file);
    expectNoRecording(kept);
  });

  test("leaves nothing after an erasure of its customer", async () => {
    const hub = openHub();
    await speak(hub, file);
    const { body } = await call(hub, "/api/sessions?limit=10", { headers: keys.admin });
    for (const { session_id } of body.sessions)
      expect(
        (await call(hub, `/api/sessions/${session_id}`, { method: "DELETE", headers: keys.admin })).status,
      ).toBe(200);
    const stored = await everythingStored(owner());
    expect(stored).not.toContain(file);
    expectNoRecording(stored);
  });
});

test.each(["telegram", "whatsapp"])(
  "a voice message on %s leaves no audio in the journal of an outage, and nothing there once it is stored",
  async (channel) => {
    const file = `FILE-${channel}-1`;
    const speak = CHANNELS[channel]!;

    let isDown = true;
    const journal = upstashJournal({ url: redis.url, token: redis.token });
    const now = () => new Date();
    const hub = openHub((store) =>
      withJournal(
        withFaults(store, "store", (name) => (isDown && name !== "store.ping" ? "down" : undefined)),
        {
          journal,
          watch: watchJournal(journal, now),
          cache: noCache,
          log: () => {},
          now,
          later: () => {},
          replayed: () => {},
        },
      ),
    );
    expect(await speak(hub, file)).toBe(200);
    const waiting = await everythingStored(owner());
    expect(waiting).toContain(file);
    expectNoRecording(waiting);
    isDown = false;
    await hub.hub.store.journal!.replay({ entries: 100, ms: 5_000 });
    const inRedis = (await everythingStored(owner()))
      .split("\n")
      .filter((line) => /^journal|^session|^token/.test(line));
    expect(inRedis.join("\n")).not.toContain(file);
    const rows = await owner()`select content from public.messages where direction = 'inbound'`;
    expect(JSON.stringify(rows)).toContain(file);
  },
);

test.for([
  ["a URL as the file's id", { ...VOICE, media: { id: URL_OF_AUDIO } }],
  ["a data URL as the file's id", { ...VOICE, media: { id: `data:audio/ogg;base64,${OGG[1]}` } }],
  ["a URL beside the id", { ...VOICE, media: { id: "1", url: URL_OF_AUDIO } }],
  ["bytes beside the id", { ...VOICE, media: { id: "1", data: OGG[1] } }],
  ["bytes in the content", { ...VOICE, media: { id: "1" }, bytes: OGG[1] }],
])("a frontend's voice message with %s is refused, and nothing is kept", async ([, content]) => {
  const hub = openHub();
  const { bearer } = await begin(hub);
  for (const [path, headers, more] of [
    ["/webhooks/web", bearer, {}],
    ["/webhooks/kiosk", keys.kiosk, { phone: "+4915112340009" }],
  ] as const)
    expect((await call(hub, path, post({ external_id: "1", content, ...more }, headers))).status).toBe(400);
  expectNoRecording(await everythingStored(owner()));
});
