/** Measures how long a message takes to save, answer and settle with 10,000, 100,000 and a million stored messages. */
import type { Conversations, InboundEvent } from "../src/core/receive/conversations.ts";
import { postgresCalls } from "../src/stores/postgres.ts";
import { sqlStore } from "../src/stores/sql.ts";
import { type DatabaseServer, startDatabases } from "./lib/database.ts";
import { type Aim, type Bench, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";
import { SECRETS, TEXT, wamid } from "./lib/webhook.ts";

const AIM = 1.2;
const PER_SESSION = 20;
const LONG = 100_000;
/** How many sessions of each database get messages. They are spread evenly over it. */
const SAMPLE = 400;
/** How many earlier messages a turn holds: as many as the `webhook` bot asks for. */
const HISTORY = 20;

/** One case: a database, and the sessions that get messages. */
interface Place {
  readonly name: string;
  readonly stored: number;
  readonly conversations: Conversations;
  readonly phoneOf: (i: number) => string;
  readonly receiveMs: number[];
  readonly completeMs: number[];
  readonly settleMs: number[];
}

const REPLY = { kind: "text", text: "You said that, on whatsapp. This session has seen: whatsapp." } as const;

export const history: Bench = {
  name: "history",
  async run(context) {
    const databases = await startDatabases(context.dir);
    const closes: (() => Promise<void>)[] = [];
    try {
      const places: Place[] = [];
      for (const stored of [10_000, 100_000, 1_000_000]) {
        const size = scaled(context, stored, 10_000);
        context.progress(`storing ${whole(size)} messages`);
        const url = await databases.createHub(`stored_${stored}`);
        const { call, close } = postgresCalls(url, { max: 1 });
        closes.push(close);
        const store = sqlStore(call, { sessionTtlMs: 7 * 86_400_000, leaseMs: 60_000, history: HISTORY });
        const { conversations } = store;
        const sessions = size / PER_SESSION;
        const step = Math.floor(sessions / SAMPLE);
        await fill(databases, `stored_${stored}`, sessions, stored === 1_000_000 ? LONG : 0);
        const phoneOf = (i: number) => phone((i % SAMPLE) * step);
        places.push({ name: `${whole(size)} messages`, stored: size, conversations, phoneOf, ...nothing() });
        if (stored === 1_000_000) {
          const one = `, one session of ${whole(LONG)}`;
          places.push({
            name: `${whole(size)} messages${one}`,
            stored: size,
            conversations,
            phoneOf: () => phone(sessions),
            ...nothing(),
          });
        }
      }
      await databases.admin`checkpoint`;
      const messages = scaled(context, 2_000);
      context.progress(`${messages} messages to each, in turn`);
      for (let i = -SAMPLE; i < messages; i++) for (const place of places) await talk(place, i);
      return resultOf(places, messages);
    } finally {
      for (const close of closes) await close();
      await databases.stop();
    }
  },
};

/** Fills a database with sessions of equally many messages, and one long session if asked. */
async function fill(databases: DatabaseServer, name: string, sessions: number, long: number): Promise<void> {
  const sql = databases.adminOf(name);
  const count = long > 0 ? sessions + 1 : sessions;
  await sql`
    insert into identities (kind, value, customer_key, verified_at, channel, last_seen_at, unseen_check_at, created_at)
    select 'phone', '+' || (${phone(0).slice(1)}::bigint + n), hub.uuid(began), began, 'whatsapp', now(), now(), began
    from (select n, now() - interval '6 days' + n * interval '1 millisecond' as began from generate_series(0, ${count - 1}::int) n) s`;
  await sql`
    insert into customers (customer_key, created_at, updated_at)
    select customer_key, created_at, created_at from identities`;
  await sql`
    insert into sessions (session_id, customer_key, channel, channels, channels_since, message_count, last_seq,
      created_at, updated_at, last_activity, expires_at, expiry_check_at)
    select customer_key, customer_key, 'whatsapp', '{whatsapp}', array[created_at], count,
      extract(epoch from created_at + (count - 1) * interval '1 second') * 1000000, created_at, now(), now(),
      now() + interval '7 days', now() + interval '7 days'
    from (
      select customer_key, created_at,
        case when value = ${phone(sessions)} then ${long} else ${PER_SESSION} end::int as count
      from identities) s`;
  await sql`
    insert into messages (message_id, session_id, seq, channel, account, external_id, direction, role, kind, text, reply_to,
      status, sent_at, created_at)
    select hub.uuid(at), session_id, extract(epoch from at) * 1000000, 'whatsapp', ${SECRETS.WHATSAPP_PHONE_NUMBER_ID},
      case when inbound then 'wamid.HBgL' || encode(sha256((session_id::text || i)::bytea), 'base64') end,
      case when inbound then 'inbound' else 'outbound' end, case when inbound then 'user' else 'assistant' end, 'text',
      'Message ' || i || ' of a talk about an order, as long as such messages are.', null,
      case when inbound then null else 'sent' end, at, at
    from (
      select session_id, i, i % 2 = 0 as inbound, created_at + i * interval '1 second' as at
      from generate_series(0, ${Math.max(long, PER_SESSION) - 1}::int) i
      join sessions s on i < s.message_count
      order by i, session_id) m`;
  await sql`
    insert into deliveries (delivery_id, message_id, session_id, parts, channel, account, address, state, attempt, due_at,
      status, external_id, created_at)
    select hub.uuid(created_at), message_id, session_id, 1, channel, account, '{}', 'sent', 1, created_at, 'sent',
      'wamid.HBgL' || encode(sha256(message_id::text::bytea), 'base64'), created_at
    from messages where direction = 'outbound' order by seq`;
  await sql`vacuum analyze`;
  await sql.end();
}

const nothing = () => ({ receiveMs: [], completeMs: [], settleMs: [] });

/** Handles one message from its arrival to its settled reply, and times each call. */
async function talk(
  { conversations, phoneOf, receiveMs, completeMs, settleMs }: Place,
  i: number,
): Promise<void> {
  const timed = async <T>(times: number[], work: Promise<T>): Promise<T> => {
    const began = performance.now();
    const done = await work;
    if (i >= 0) times.push(performance.now() - began);
    return done;
  };
  const message = messageOf(phoneOf(Math.abs(i)));
  const [received] = await timed(receiveMs, conversations.receive([message], new Date()));
  if (received?.type !== "message" || received.turn?.history.length !== HISTORY)
    throw new Error("the message did not come back with its turn and history");
  const replies = [{ content: REPLY, parts: [REPLY] }];
  const { deliveries } = await timed(completeMs, conversations.complete(received.turn, replies, new Date()));
  const outcomes = deliveries.map(
    ({ delivery_id, attempt }) => ({ delivery_id, attempt, state: "sent", external_id: wamid() }) as const,
  );
  if (outcomes.length !== 1) throw new Error("the reply did not come back to be sent");
  await timed(settleMs, conversations.settle(outcomes, new Date()));
}

function messageOf(phone: string): InboundEvent {
  return {
    type: "message",
    message: {
      channel: "whatsapp",
      account: SECRETS.WHATSAPP_PHONE_NUMBER_ID,
      external_id: wamid(),
      from: { phone },
      address: { phone_number_id: SECRETS.WHATSAPP_PHONE_NUMBER_ID, to: phone.slice(1) },
      content: { kind: "text", text: TEXT },
      sent_at: new Date(),
      wakes: true,
    },
  };
}

function phone(n: number): string {
  return `+${447_700_900_000 + n}`;
}

function resultOf(places: readonly Place[], messages: number): Result {
  const base = median(places[0]!.receiveMs);
  const figures = places.map(({ name, stored, receiveMs, completeMs, settleMs }) => ({
    name,
    stored,
    median_ms: median(receiveMs),
    p95_ms: quantile(receiveMs, 0.95),
    ratio: median(receiveMs) / base,
    complete_ms: median(completeMs),
    settle_ms: median(settleMs),
  }));
  const worst = Math.max(...figures.map(({ ratio }) => ratio));
  const aims: Aim[] = [{ aim: `flat within ${AIM}x at the median`, found: times(worst), met: worst <= AIM }];
  const table = {
    title: `history: receive() with ${HISTORY} earlier messages for the bot, ${whole(messages)} calls each, direct Postgres`,
    columns: ["stored", "receive", "p95", "to the first", "complete", "settle"],
    rows: figures.map((row) => [
      row.name,
      ms(row.median_ms),
      ms(row.p95_ms),
      times(row.ratio),
      ms(row.complete_ms),
      ms(row.settle_ms),
    ]),
  };
  return { tables: [table], aims, figures };
}
