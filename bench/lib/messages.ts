import type postgres from "postgres";

/** The number of different words, the most common first. The i-th is in about one message of `3.4 * i`, the first in every third. */
export const VOCABULARY = 20_000;

const FIRST = "ka lo mi ne ru sa to vi be da fu gi ho pa ti wa zu cha ste bra".split(" ");
const SECOND = "r n s l t me ko di la pu".split(" ");
const THIRD = "a e i o u an en is or at é ü".split(" ");
const LAST = ["", ..."lin mar dos kes tun rep gol sev nim".split(" ")];

/** The i-th word of the vocabulary. */
export function wordAt(i: number): string {
  const parts = [FIRST[i % 20], SECOND[Math.floor(i / 20) % 10], THIRD[Math.floor(i / 200) % 12]];
  return parts.join("") + LAST[Math.min(LAST.length - 1, Math.floor(i / 2_400))];
}

/** The i-th session that `fillMessages` makes, and its customer's `customer_id`. */
export const sessionAt = (i: number) => `00000000-0000-4000-8000-${i.toString(16).padStart(12, "0")}`;
export const customerAt = (i: number) => `bench-${Math.floor(i / 2)}`;

/**
 * Stores `count` messages of a year in 20,000 sessions of 10,000 customers: 6 to 12 words each, a tenth with Chinese, a
 * tenth with Hindi and a tenth with Thai. Then it indexes them the fastest way: all rows first, then the GIN index.
 */
export async function fillMessages(admin: postgres.Sql, url: postgres.Sql, count: number): Promise<void> {
  await admin.unsafe(`
    alter table public.messages disable trigger message_search_new;
    create table public.bench_words (i integer primary key, word text not null);
    insert into public.bench_words
      select i, ('{${FIRST}}'::text[])[i % 20 + 1] || ('{${SECOND}}'::text[])[i / 20 % 10 + 1]
        || ('{${THIRD}}'::text[])[i / 200 % 12 + 1] || ('{"",${LAST.slice(1)}}'::text[])[least(i / 2400, 9) + 1]
      from generate_series(0, ${VOCABULARY - 1}) as i;
    insert into public.sessions (
      session_id, customer_key, channel, channels, channels_since, status, created_at, updated_at, last_activity, expires_at,
      expiry_check_at, message_count)
    select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, ('00000000-0000-4000-9000-' || lpad(to_hex(i / 2), 12, '0'))::uuid,
      'web', '{web}', array[now()], case when i % 2 = 0 then 'active' else 'expired' end, now(), now(), now(), now() + interval '7 days',
      now() + interval '7 days', ${Math.ceil(count / 20_000)}
    from generate_series(0, 19999) as i;
    insert into public.customers (customer_key, customer_id, created_at, updated_at)
    select ('00000000-0000-4000-9000-' || lpad(to_hex(i), 12, '0'))::uuid, 'bench-' || i, now(), now() from generate_series(0, 9999) as i;
  `);
  await url.unsafe(`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select hub.uuid(now() - (${count} - i) * interval '365 days' / ${count}), ('00000000-0000-4000-8000-' || lpad(to_hex((random() * 19999)::int), 12, '0'))::uuid, i,
      ('{web,telegram,whatsapp,kiosk}'::text[])[i % 4 + 1], 'inbound', ('{user,assistant}'::text[])[i % 2 + 1], 'text',
      (select string_agg(w.word, ' ') from (
        select (exp(random() * ln(${VOCABULARY}))::int - 1) % ${VOCABULARY} as k from generate_series(1, 6 + i % 7) where i > 0) r
        join public.bench_words w on w.i = r.k)
      || case i % 10
        when 0 then ' 東京タワーに行きたい' || ('{明日,今日,来週,予約}'::text[])[i / 10 % 4 + 1]
        when 1 then ' नमस्ते दुनिया ' || i % 100 when 2 then ' สวัสดีครับ' else '' end,
      now() - (${count} - i) * interval '365 days' / ${count}
    from generate_series(1, ${count}) as i`);
  const [index] = await admin`select pg_get_indexdef('public.message_search_doc'::regclass) as made`;
  await admin.unsafe(`
    drop index public.message_search_doc;
    insert into public.message_search (message_id, n, session_id, created_at, doc)
      select m.message_id, m.seq, m.session_id, m.created_at, hub.search_doc(m, m.seq) from public.messages m order by m.seq;
    select setval('public.message_search_n', ${count});
    set maintenance_work_mem = '512MB';
    ${index!.made};
    alter table public.messages enable trigger message_search_new;
    update public.search_progress set settled = hub.uuid_from(now());
    drop table public.bench_words;
  `);
  await admin`vacuum analyze`;
}
