import postgres from "postgres";
import type { Inside, Person } from "./model.ts";

const NOTHING: Inside = {
  sessions: [],
  messages: [],
  turns: [],
  deliveries: [],
  identities: [],
  reachable: true,
};

/** Reads what the hub's database holds of people. */
export interface InsideReader {
  /** What is known of a person, and of the sessions that their pages hold. Never throws. */
  read(person: Person, sessions: readonly string[]): Promise<Inside>;
  end(): Promise<void>;
}

export function createInsideReader(url: string): InsideReader {
  const sql = postgres(url, { max: 2, onnotice: () => {}, connect_timeout: 2 });
  const last = new Map<string, Inside>();
  return {
    async read(person, held) {
      const known = [
        ["phone", person.phone],
        ["phone", `+${person.whatsapp}`],
        ["telegram_chat_id", String(person.telegram)],
      ];
      try {
        const [row] = await sql`
          with given as (select * from unnest(${known.map(([kind]) => kind!)}::text[], ${known.map(([, value]) => value!)}::text[]) as g (kind, value)),
          people as (
            select i.customer_key from public.identities i join given g on g.kind = i.kind and g.value = i.value
            union select customer_key from public.customers where customer_id = ${person.customer_id}
            union select customer_key from public.sessions where session_id = any (${held as string[]}::uuid[])),
          own as (
            select s.* from public.sessions s
            where s.customer_key in (table people)
              or s.merged_into in (select session_id from public.sessions where customer_key in (table people))
            order by s.created_at desc limit 12)
          select
            (select coalesce(json_agg(hub.session_document(s) order by s.created_at), '[]') from public.sessions s
              where s.session_id in (select session_id from own)) as sessions,
            (select coalesce(json_agg(m.* order by m.seq), '[]') from (
              select m.message_id, m.session_id, m.seq, m.channel, m.direction, m.role, m.kind, left(m.text, 120) as text, m.status, m.created_at
              from public.messages m where m.session_id in (select session_id from own) order by m.seq desc limit 40) m) as messages,
            (select coalesce(json_agg(t.* order by t.seq), '[]') from (
              select turn_id, session_id, seq, message_id, channel, state, attempt, due_at, code, reason
              from public.turns where session_id in (select session_id from own) order by seq desc limit 20) t) as turns,
            (select coalesce(json_agg(d.* order by d.seq), '[]') from (
              select delivery_id, session_id, seq, message_id, channel, state, attempt, status, due_at, code, reason
              from public.deliveries where session_id in (select session_id from own) order by seq desc limit 20) d) as deliveries,
            (select coalesce(json_agg(i.* order by i.created_at), '[]') from (
              select kind, value, verified_at is not null as verified, channel, created_at
              from public.identities where customer_key in (table people)) i) as identities`;
        const inside = { ...row, reachable: true } as unknown as Inside;
        last.set(person.id, inside);
        return inside;
      } catch {
        return { ...(last.get(person.id) ?? NOTHING), reachable: false };
      }
    },
    end: () => sql.end({ timeout: 1 }),
  };
}
