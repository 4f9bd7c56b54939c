/**
 * Measures how fast a campaign's recipients are prepared and handed to the emulator, and how long the customers of live
 * conversations wait for a reply with and without a campaign beside them.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type postgres from "postgres";
import { nodeHub } from "./lib/contenders.ts";
import { startDatabases } from "./lib/database.ts";
import { type Platform, startPlatform } from "./lib/platform.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import type { Server } from "./lib/server.ts";
import { median, quantile } from "./lib/stats.ts";
import { SECRETS } from "./lib/webhook.ts";

const RECIPIENTS = 100_000;
/** The most that `POST /api/campaigns` takes. */
const RATE = 80;
/** No limit: the campaign goes as fast as the hub and the database do. */
const FULL_RATE = 1_000_000;
const BESIDE_AIM = 1.2;
const ADMIN_KEY = "bench-admin-key";
/** So short that the platform's process tells it from a reply by its length. */
const TEXT = "Hi";
const ROUNDS = 6;
const MESSAGES = 150;
/** How many customers have a live conversation. None of them is a recipient. */
const LIVE = 64;

/** Replies with one setting of the hub. */
interface Beside {
  readonly name: string;
  /** The messages in a second that the hub keeps to on the account; absent: WhatsApp has no pace. */
  readonly pace?: number;
  readonly calm: number[];
  readonly beside: number[];
  /** Recipients in a second while the replies were measured. */
  campaignPerSecond: number;
}

export const campaign: Bench = {
  name: "campaign",
  async run(context) {
    const { dir, progress } = context;
    const stops: (() => Promise<unknown>)[] = [];
    try {
      const platform = await startPlatform();
      stops.unshift(() => platform.stop());
      const databases = await startDatabases(dir);
      stops.unshift(() => databases.stop());
      const url = await databases.createHub("campaign");
      const sql = databases.adminOf("campaign");
      const recipients = scaled(context, RECIPIENTS);
      progress(`storing ${whole(recipients)} customers`);
      await fill(sql, recipients);
      const start = async (vars: Record<string, string> = {}) => {
        const hub = { WHATSAPP_API_ROOT: platform.url, BENCH_ADMIN_KEY: ADMIN_KEY, ...vars };
        const server = await nodeHub("campaign", url, hub).start();
        stops.unshift(() => server.stop());
        return server;
      };

      const server = await start();
      progress("preparing");
      const first = await prepared(server, sql, recipients);
      progress("handing them to the emulator");
      const handed = await handOver(platform, sql, first.id, recipients);

      const variants: Beside[] = [
        { name: "WhatsApp, which has no pace", calm: [], beside: [], campaignPerSecond: 0 },
        { name: `a paced account, ${RATE} a second`, pace: RATE, calm: [], beside: [], campaignPerSecond: 0 },
      ];
      const { id } = await prepared(server, sql, recipients);
      await server.stop();
      await databases.analyze("campaign");
      for (const variant of variants) {
        const hub = await start(variant.pace ? { BENCH_PACE: String(variant.pace) } : {});
        await compare(context, platform, hub, sql, id, variant);
        await hub.stop();
      }
      await expectOnce(platform, sql);
      return resultOf(recipients, first.seconds, handed, variants);
    } finally {
      for (const stop of stops) await stop();
    }
  },
};

/** Makes customers who have written on WhatsApp an hour ago. Every tenth has an active session, the others one that has ended. */
async function fill(sql: postgres.Sql, count: number): Promise<void> {
  const account = SECRETS.WHATSAPP_PHONE_NUMBER_ID;
  await sql`
    create temporary table drawn as
    select n, hub.uuid(at) as customer_key, at, (491500000000 + n)::text as phone
    from (select n, now() - interval '1 hour' - n * interval '1 millisecond' as at from generate_series(1, ${count}::int) n) s`;
  await sql`
    insert into customers (customer_key, tags, created_at, updated_at) select customer_key, '{recipient}', at, at from drawn`;
  await sql`
    insert into identities (kind, value, customer_key, verified_at, channel, account, address, address_used_at, last_seen_at, unseen_check_at, created_at)
    select 'phone', '+' || phone, customer_key, at, 'whatsapp', ${account}::text,
      jsonb_build_object('phone_number_id', ${account}::text, 'to', phone), at, at, at, at
    from drawn`;
  await sql`
    insert into reply_windows (channel, account, address, customer_key, closes_at, check_at)
    select channel, account, address, customer_key, now() + interval '20 hours', now() + interval '2 days' from identities`;
  await sql`
    insert into sessions (session_id, customer_key, channel, channels, channels_since, last_channel, language, message_count, last_seq,
      status, ended_at, created_at, updated_at, last_activity, expires_at, expiry_check_at)
    select customer_key, customer_key, 'whatsapp', '{whatsapp}', array[at], 'whatsapp', 'en', 2, extract(epoch from at) * 1000000 + 1,
      case when n % 10 = 0 then 'active' else 'expired' end, case when n % 10 > 0 then at end, at, at, at, at + interval '7 days',
      at + interval '7 days'
    from drawn`;
  await sql`
    insert into messages (message_id, session_id, seq, channel, account, external_id, direction, role, kind, text, status, created_at)
    select hub.uuid(at), customer_key, extract(epoch from at) * 1000000 + o, 'whatsapp', ${account}::text, case when o = 0 then phone end,
      case o when 0 then 'inbound' else 'outbound' end, case o when 0 then 'user' else 'assistant' end, 'text',
      'A message as long as such messages are.', case o when 1 then 'sent' end, at
    from drawn, generate_series(0, 1) o`;
  await sql`
    insert into deliveries (delivery_id, message_id, session_id, parts, channel, account, address, state, attempt, due_at, status,
      external_id, created_at)
    select hub.uuid(created_at), message_id, session_id, 1, channel, account, '{}', 'sent', 1, created_at, 'sent', message_id, created_at
    from messages where direction = 'outbound'`;
  await sql`drop table drawn`;
  await sql`vacuum analyze`;
}

/** Makes a campaign that starts tomorrow, and waits until its recipients are prepared. */
async function prepared(
  { port }: Server,
  sql: postgres.Sql,
  recipients: number,
): Promise<{ id: string; seconds: number }> {
  const began = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/api/campaigns`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": ADMIN_KEY },
    body: JSON.stringify({
      name: "bench",
      segment: { tag: "recipient" },
      content: { en: { kind: "text", text: TEXT } },
      language: "en",
      rate: RATE,
      starts_at: new Date(Date.now() + 86_400_000).toISOString(),
    }),
  });
  const { id } = (await answer.json()) as { id: string };
  if (answer.status !== 201) throw new Error(`the campaign was answered ${answer.status}`);
  await until(async () => {
    const [row] = await sql`select prepared from campaigns where campaign_id = ${id}`;
    return row!.prepared;
  });
  const seconds = (performance.now() - began) / 1_000;
  const [{ count }] = await sql<[{ count: number }]>`
    select count(*)::int from dispatches where campaign_id = ${id} and state = 'queued'`;
  if (count !== recipients) throw new Error(`${count} of ${recipients} recipients were prepared`);
  return { id, seconds };
}

/** Lets the campaign go without a rate, until the emulator has taken every message. Returns the seconds. */
async function handOver(
  platform: Platform,
  sql: postgres.Sql,
  id: string,
  recipients: number,
): Promise<number> {
  await sql`update dispatches set due_at = now() where campaign_id = ${id}`;
  const handing = performance.now();
  await sql`
    update campaigns set rate = ${FULL_RATE}, starts_at = now(), next_at = now() where campaign_id = ${id}`;
  await until(async () => {
    const [row] = await sql`select state from campaigns where campaign_id = ${id}`;
    return row!.state === "done";
  });
  await until(async () => {
    const [row] = await sql`select from messages where direction = 'outbound' and status = 'pending' limit 1`;
    return row === undefined;
  });
  const seconds = (performance.now() - handing) / 1_000;
  await platform.expectTaken(recipients);
  return seconds;
}

/** Measures replies in turn without and with the campaign, at its usual rate. */
async function compare(
  context: Context,
  platform: Platform,
  { port }: Server,
  sql: postgres.Sql,
  id: string,
  variant: Beside,
): Promise<void> {
  const count = scaled(context, MESSAGES, 30);
  const talk = async () => {
    const who = { port, path: "/webhooks/whatsapp", from: 0, customers: LIVE, first: 0, answered: true };
    return (await platform.sequence({ ...who, count, pauseMs: 10 })).answers;
  };
  context.progress(`${variant.name}: warm-up`);
  for (let i = 0; i < 2; i++) await talk();
  let sent = 0;
  let seconds = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    context.progress(`${variant.name}: round ${round} of ${ROUNDS}`);
    // One of two rounds begins with the campaign.
    for (const isOn of round % 2 === 0 ? [true, false] : [false, true]) {
      const before = await placed(sql, id);
      const began = performance.now();
      if (isOn) {
        await sql`
          update dispatches set due_at = now() where dispatch_id in (
            select dispatch_id from dispatches where campaign_id = ${id} and state = 'queued' limit 10000)`;
        await sql`
          update campaigns set state = 'running', starts_at = now(), next_at = now() where campaign_id = ${id}`;
        await until(async () => (await placed(sql, id)) > before);
      }
      const answers = await talk();
      (isOn ? variant.beside : variant.calm).push(...answers);
      if (!isOn) continue;
      await sql`update campaigns set state = 'paused' where campaign_id = ${id}`;
      sent += (await placed(sql, id)) - before;
      seconds += (performance.now() - began) / 1_000;
      await sleep(1_000);
    }
  }
  variant.campaignPerSecond = sent / seconds;
}

async function placed(sql: postgres.Sql, id: string): Promise<number> {
  const [{ count }] = await sql<[{ count: number }]>`
    select count(*)::int from dispatches where campaign_id = ${id} and state = 'placed'`;
  return count;
}

/** Throws if a campaign has two messages for one recipient, or a message that was not sent. */
async function expectOnce(platform: Platform, sql: postgres.Sql): Promise<void> {
  await until(async () => {
    const [row] = await sql`select from messages where direction = 'outbound' and status = 'pending' limit 1`;
    return row === undefined;
  });
  const [{ count }] = await sql<[{ count: number }]>`
    select count(*)::int from messages where direction = 'outbound' and status = 'sent'
      and created_at > (select max(created_at) from campaigns)`;
  await platform.expectTaken(count);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 1_200_000;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error("the campaign does not end");
    await sleep(100);
  }
}

function resultOf(
  recipients: number,
  preparing: number,
  handing: number,
  variants: readonly Beside[],
): Result {
  const speed = {
    title: `campaign: ${whole(recipients)} recipients on WhatsApp, the hub under Node, direct Postgres`,
    columns: ["", "time", "recipients/s"],
    rows: [
      ["prepared in the database", `${preparing.toFixed(2)} s`, whole(recipients / preparing)],
      ["handed to the emulator, without a rate", `${handing.toFixed(1)} s`, whole(recipients / handing)],
    ],
  };
  const seen = variants.map(({ name, calm, beside, campaignPerSecond }) => ({
    name,
    replies: calm.length,
    reply_ms: median(calm),
    reply_p95_ms: quantile(calm, 0.95),
    beside_ms: median(beside),
    beside_p95_ms: quantile(beside, 0.95),
    campaign_per_s: campaignPerSecond,
  }));
  const replies = {
    title: `campaign: webhook to the reply's arrival at the emulator, one at a time, without and beside a campaign of ${RATE} a second`,
    columns: ["", "reply after", "p95", "beside a campaign", "p95", "campaign/s"],
    rows: seen.map((row) => [
      row.name,
      ms(row.reply_ms),
      ms(row.reply_p95_ms),
      ms(row.beside_ms),
      ms(row.beside_p95_ms),
      row.campaign_per_s.toFixed(1),
    ]),
  };
  const aims = seen.flatMap((row): Aim[] => {
    const aimOf = (what: string, ratio: number) => ({
      aim: `${row.name}: ${what} within ${BESIDE_AIM}x`,
      found: times(ratio),
      met: ratio <= BESIDE_AIM,
    });
    return [
      aimOf("the median", row.beside_ms / row.reply_ms),
      aimOf("the 95th percentile", row.beside_p95_ms / row.reply_p95_ms),
    ];
  });
  return {
    tables: [speed, replies],
    aims,
    figures: { recipients, preparing_s: preparing, handing_s: handing, replies: seen },
  };
}
