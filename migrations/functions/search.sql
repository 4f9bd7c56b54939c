-- Search of messages: how words are folded, how the index is filled, how it is read. The index is a table beside the
-- messages (message_search); unindexed_messages holds what is to be taken into it.

-- Letters in lower case, of all scripts. A database whose locale is C folds ASCII only, so a collation is named, the first
-- of these that it has.
do $$
begin
  execute format(
    $sql$
      create or replace function hub.lower_case(p_text text) returns text
      language sql immutable parallel safe as 'select lower(p_text collate %s)'
    $sql$,
    coalesce((
      select format('pg_catalog.%I', collname) from pg_catalog.pg_collation
      where collname in ('pg_c_utf8', 'und-x-icu', 'default') and collencoding in (-1, 6)
      order by array_position('{pg_c_utf8,und-x-icu,default}', collname::text) limit 1), 'pg_catalog."default"'));
end
$$;

-- Marks that people leave out: accents, vowel points, nuktas, and what cannot be seen.
create or replace function hub.left_out() returns text
language sql immutable parallel safe as $$
  select '[\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u0640\u064B-\u065F\u0670'
    '\u06D6-\u06ED\u093C\u09BC\u0A3C\u0ABC\u0B3C\u1DC0-\u1DFF\u20D0-\u20FF\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u206F'
    '\uFE00-\uFE0F\uFEFF]'
$$;

-- What stands between words: a run of anything that is no letter, mark or digit of a script.
create or replace function hub.between_words() returns text
language sql immutable parallel safe as $$
  select '[\u0001-\u002F\u003A-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u02C2-\u02DF'
    '\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05C6\u05F3\u05F4\u0600-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0700-\u070D'
    '\u0964\u0965\u0970\u0DF4\u0E2F\u0E3F\u0E4F\u0E5A\u0E5B\u0F01-\u0F14\u104A-\u104F\u10FB\u1360-\u1368\u17D4-\u17DB\u1800-\u180A'
    '\u2000-\u206F\u20A0-\u20CF\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3030\u303D\u30FB\uD800-\uF8FF\uFE10-\uFE6F'
    '\uFF00-\uFF20\uFFE0-\uFFFF\U0001F000-\U0001FBFF]+'
$$;

-- Letters of scripts that put no spaces between words, as ranges within brackets: Thai, Lao, Burmese, Khmer, Hangul (whose
-- words take endings), kana, Bopomofo, Han.
create or replace function hub.unspaced() returns text
language sql immutable parallel safe as $$
  select '\u0E01-\u0E2E\u0E30-\u0E3A\u0E40-\u0E4E\u0E80-\u0EDF\u1000-\u103F\u1050-\u109F\u1100-\u11FF\u1780-\u17D3\u17DC\u17DD'
    '\u3005-\u3007\u3041-\u3096\u309D-\u30FA\u30FC-\u318F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3'
    '\U00020000-\U0003FFFF'
$$;

-- Text as words are compared: lower case, without marks, one form for each letter and digit.
create or replace function hub.fold(p_text text) returns text
language plpgsql immutable parallel safe as $$
declare
  v_text text;
begin
  if p_text ~ '^[\u0001-\u007F]*$' then
    return lower(p_text);
  end if;
  v_text := regexp_replace(hub.lower_case(normalize(p_text, NFKD)), hub.left_out(), '', 'g');
  if v_text ~ '^[\u0001-\u007F]*$' then
    return v_text;
  elsif v_text ~ '[ßæœ]' then
    v_text := replace(replace(replace(v_text, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
  end if;
  if v_text ~ '[łøđðıħŧςىةکی٠-٩۰-۹०-९๐-๙০-৯]' then
    v_text := translate(
      v_text,
      'łøđðıħŧςىةکی٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९๐๑๒๓๔๕๖๗๘๙০১২৩৪৫৬৭৮৯',
      'loddihtσيهكي01234567890123456789012345678901234567890123456789');
  end if;
  return normalize(v_text, NFKC);
end
$$;

-- The words of folded text, in order. Where words are not spaced, each two letters beside each other are one (a bigram), and the last
-- letter of a run is one by itself unless it is left out.
create or replace function hub.words(p_folded text, p_last boolean) returns text[]
language plpgsql immutable parallel safe as $$
declare
  v_text text := regexp_replace(p_folded, hub.between_words(), ' ', 'g');
begin
  if v_text ~ ('[' || hub.unspaced() || ']') then
    select string_agg(
        case when not is_unspaced then c
          when next_is then ' ' || c || next || ' '
          when p_last or not coalesce(last_is, false) then ' ' || c || ' '
          else ' ' end, '' order by place)
      into v_text
      from (
        select place, c, is_unspaced, lead(c) over w as next, lead(is_unspaced) over w as next_is, lag(is_unspaced) over w as last_is
        from (
          select place, c, c ~ ('[' || hub.unspaced() || ']') as is_unspaced
          from string_to_table(v_text, null) with ordinality as u (c, place)
        ) letters
        window w as (order by place)
      ) pairs;
  end if;
  return array(
    select left(w, 100) from unnest(string_to_array(v_text, ' ')) with ordinality as u (w, place) where w <> '' order by place);
end
$$;

-- What a message is found by: its words with their places. Of a very long one the beginning.
create or replace function hub.search_words(p_text text) returns tsvector
language plpgsql immutable parallel safe as $$
declare
  v_words constant text[] := hub.words(left(hub.fold(left(p_text, 20000)), 40000), true);
begin
  return (
    select coalesce(string_agg(quote_literal(w) || ':' || least(place, 16383), ' '), '')::tsvector
    from unnest(v_words) with ordinality as u (w, place));
end
$$;

-- A lexeme of a query: a word, or a mark, which holds a colon as no word does.
create or replace function hub.lexeme(p_word text, p_prefix boolean default false) returns text
language sql immutable parallel safe as $$
  select quote_literal(p_word) || case when p_prefix then ':*' else '' end
$$;

-- One part of a query, in folded text: its words one behind the other. With p_prefix the last one may go on. Null when there
-- are none. Where words are not spaced, only a single letter goes on, and always does: a bigram begins with it.
create or replace function hub.phrase(p_text text, p_prefix boolean) returns text
language plpgsql immutable parallel safe as $$
declare
  v_words constant text[] := hub.words(p_text, false);
  v_count constant integer := coalesce(array_length(v_words, 1), 0);
  v_phrase text;
begin
  select string_agg(
      hub.lexeme(w, case when w ~ ('[' || hub.unspaced() || ']') then length(w) = 1
        else p_prefix and place = v_count and length(w) > 1 end), ' <-> ' order by place)
    into v_phrase
    from unnest(v_words) with ordinality as u (w, place);
  return case when v_count > 1 then '(' || v_phrase || ')' else v_phrase end;
end
$$;

-- What somebody typed, read as websearch_to_tsquery reads it: words that must all be there, "phrases", -without, or. A chunk
-- that holds several words (a name with hyphens, an address) is a phrase. query finds messages; in exact the last word does
-- not go on; terms, for highlighting: [{text, prefix}], folded. query is empty when there is no word in it.
create or replace function hub.read_query(p_text text, out query tsquery, out exact tsquery, out terms jsonb)
language plpgsql immutable parallel safe as $$
declare
  v_text constant text := hub.fold(translate(p_text, '“”„«»', '"""""'));
  v_parts constant text[] := array(
    select m[1] || case when m[3] is null then '"' || m[2] else ' ' || m[3] end
    from regexp_matches(v_text, '(-?)(?:"([^"]*)"?|([^[:space:]"]+))', 'g') as m);
  v_query text := '';
  v_exact text := '';
  v_or boolean := false;
  v_not boolean;
  v_last boolean;
  v_said text;
  v_phrase text;
begin
  terms := '[]';
  for i in 1 .. coalesce(array_length(v_parts, 1), 0) loop
    v_not := v_parts[i] like '-%';
    v_said := substr(v_parts[i], case when v_not then 3 else 2 end);
    if v_parts[i] = ' or' and v_query <> '' and i < array_length(v_parts, 1) then
      v_or := true;
      continue;
    end if;
    v_last := i = array_length(v_parts, 1) and v_parts[i] like ' %' and v_text ~ '[^[:space:]]$';
    v_phrase := hub.phrase(v_said, v_last);
    continue when v_phrase is null;
    if v_query <> '' then
      v_query := v_query || case when v_or then ' | ' else ' & ' end;
      v_exact := v_exact || case when v_or then ' | ' else ' & ' end;
    end if;
    v_or := false;
    v_query := v_query || case when v_not then '!' else '' end || v_phrase;
    v_exact := v_exact || case when v_not then '!' else '' end || hub.phrase(v_said, false);
    if not v_not then
      v_said := btrim(regexp_replace(v_said, hub.between_words(), ' ', 'g'));
      terms := terms || jsonb_build_object('text', v_said, 'prefix', v_last and v_said ~ '[^ ]{2}$');
    end if;
  end loop;
  query := v_query::tsquery;
  exact := v_exact::tsquery;
end
$$;

-- The index is made of blocks, by n; a search reads some of them at a time, the newest first. A block of level 0 is 2048
-- rows; four blocks of one level are one of the next. There are five levels.
create or replace function hub.block_size(p_level integer) returns bigint
language sql immutable parallel safe as $$ select 2048::bigint << (2 * p_level) $$;

-- The marks of the blocks to which a row of the index belongs.
create or replace function hub.block_marks(p_n bigint) returns text[]
language sql immutable parallel safe as $$
  select array[
    'b0:' || p_n / 2048, 'b1:' || p_n / 8192, 'b2:' || p_n / 32768, 'b3:' || p_n / 131072, 'b4:' || p_n / 524288]
$$;

-- As few blocks as hold all rows above p_low and up to p_high, and at either end less than a smallest block more, as a query; null when
-- they are too many to be worth naming.
create or replace function hub.blocks_of(p_low bigint, p_high bigint) returns tsquery
language plpgsql immutable parallel safe as $$
declare
  v_marks text[] := '{}';
  v_at bigint := greatest(p_low + 1, 0) / 2048 * 2048;
  v_level integer;
begin
  while v_at <= p_high and array_length(v_marks, 1) is distinct from 64 loop
    v_level := 0;
    while v_level < 4 and v_at % hub.block_size(v_level + 1) = 0 and v_at + hub.block_size(v_level + 1) - 1 <= p_high loop
      v_level := v_level + 1;
    end loop;
    v_marks := v_marks || hub.lexeme('b' || v_level || ':' || v_at / hub.block_size(v_level));
    v_at := v_at + hub.block_size(v_level);
  end loop;
  return case when v_at > p_high then array_to_string(v_marks, '|')::tsquery end;
end
$$;

-- Whether a message is to be found at all: said by somebody, and not erased or deleted.
create or replace function hub.is_searchable(m public.messages) returns boolean
language sql immutable parallel safe as $$
  select m.text <> '' and m.kind <> 'system'
$$;

-- What a message is found by, its n in the index with it.
create or replace function hub.search_doc(m public.messages, p_n bigint) returns tsvector
language sql stable parallel safe as $$
  select hub.search_words(m.text) || array_to_tsvector(array[
    's:' || m.session_id, 'c:' || m.channel, 'r:' || m.role,
    'd:' || (m.created_at at time zone 'UTC')::date, 'm:' || to_char(m.created_at at time zone 'UTC', 'YYYY-MM')]
    || hub.block_marks(p_n))
$$;

-- Notes a new message for the index.
create or replace function hub.queue_new_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.unindexed_messages values (new.message_id, new.session_id, now());
  return null;
end
$$;

create or replace trigger message_search_new after insert on public.messages
  for each row when (new.text <> '' and new.kind <> 'system') execute function hub.queue_new_message();

-- Takes the words of a message that says something else now, or is in another session, out of the index at once, and notes
-- it to be taken in again.
create or replace function hub.queue_changed_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.message_search set doc = null where message_id = new.message_id;
  insert into public.unindexed_messages values (new.message_id, new.session_id, now());
  return null;
end
$$;

create or replace trigger message_search_changed after update of text, kind, session_id on public.messages
  for each row when (old.text <> new.text or old.kind <> new.kind or old.session_id <> new.session_id)
  execute function hub.queue_changed_message();

-- Takes a deleted message out of the index. One that is not there may be on its way into it, so it is noted.
create or replace function hub.forget_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  delete from public.message_search where message_id = old.message_id;
  if not found then
    insert into public.unindexed_messages values (old.message_id, old.session_id, now());
  end if;
  return null;
end
$$;

create or replace trigger message_search_deleted after delete on public.messages
  for each row when (old.text <> '' and old.kind <> 'system') execute function hub.forget_message();

-- Takes messages into the index, at most limit, in one transaction with their rows in unindexed_messages. p: {limit}.
-- Returns {indexed, more}: how many, and whether others wait. One call at a time does so; another returns at once. It waits
-- for nobody: what somebody is changing stays for the next call.
create or replace function public.hub_index_messages(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_rows tid[];
  v_ids uuid[];
begin
  if not pg_try_advisory_xact_lock(hashtextextended('message_search', 0)) then
    return '{"indexed": 0, "more": false}';
  end if;
  select array_agg(u.ctid), array_agg(distinct u.message_id) into v_rows, v_ids
    from (select ctid, message_id from public.unindexed_messages limit v_limit) u;
  if v_rows is null then
    return '{"indexed": 0, "more": false}';
  end if;
  v_ids := hub.free_to_index(v_ids);
  delete from public.unindexed_messages where ctid = any (v_rows) and message_id = any (v_ids);
  delete from public.message_search x
    where x.message_id = any (v_ids) and not exists (
      select from public.messages m where m.message_id = x.message_id and hub.is_searchable(m));
  insert into public.message_search (message_id, n, session_id, created_at, doc)
    select (t.m).message_id, t.n, (t.m).session_id, (t.m).created_at, hub.search_doc(t.m, t.n)
    from (
      select o.m, coalesce(o.n, nextval('public.message_search_n')) as n
      from (
        select m, x.n
        from public.messages m left join public.message_search x on x.message_id = m.message_id
        where m.message_id = any (v_ids) and hub.is_searchable(m)
        order by m.created_at, m.message_id
        offset 0
      ) o
      offset 0
    ) t
    on conflict (message_id) do update set session_id = excluded.session_id, doc = excluded.doc;
  return jsonb_build_object(
    'indexed', coalesce(array_length(v_ids, 1), 0), 'more', array_length(v_rows, 1) = v_limit and v_ids <> '{}');
end
$$;

-- Those of these messages whose rows in the index nobody else has in hand; they are locked.
create or replace function hub.free_to_index(p_ids uuid[]) returns uuid[]
language plpgsql volatile as $$
declare
  v_there constant uuid[] := array(select message_id from public.message_search where message_id = any (p_ids));
  v_held uuid[];
begin
  if v_there = '{}' then
    return p_ids;
  end if;
  v_held := array(select message_id from public.message_search where message_id = any (v_there) for update skip locked);
  return array(select i from unnest(p_ids) as i where i <> all (v_there) or i = any (v_held));
end
$$;

-- How far the index is behind. p: {}. Returns {waiting, lag_ms}: how many rows wait, and how long the oldest has, by the
-- database's clock.
create or replace function public.hub_search_lag(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'waiting', count(*),
    'lag_ms', coalesce(greatest(0, floor(extract(epoch from clock_timestamp() - min(queued_at)) * 1000)), 0))
  from public.unindexed_messages
$$;

-- Matches of a query in the index with n above p_low and up to p_high: {count, low, hits}. Where there are more than a thousand,
-- only the newest thousand are matches, and low is above p_low: to rank tens of thousands takes too long. (With p_after the window
-- is known, and holds at most two hundred more.) hits are the first
-- p_limit of those after the hit p_after, best first: {message_id, rank, n}. p_marks narrows the query down, as lexemes of
-- the index; p: {from, to}. With p_read all these rows are read, and the index is not asked for the words: for the
-- beginning of a common word it would collect every message there is.
create or replace function hub.search_range(
  p_query tsquery, p_exact tsquery, p_marks tsquery, p_low bigint, p_high bigint, p_read boolean, p_after jsonb, p_limit integer,
  p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_from constant timestamptz := coalesce((p ->> 'from')::timestamptz, '-infinity');
  v_to constant timestamptz := coalesce((p ->> 'to')::timestamptz, 'infinity');
  v_rank constant real := p_after ->> 'rank';
  v_n constant bigint := p_after ->> 'n';
  v_blocks constant tsquery := hub.blocks_of(p_low, p_high);
  -- Two queries that differ in what may go on are equal to Postgres.
  v_exact constant tsquery := case when p_exact::text <> p_query::text then p_exact end;
  v_index tsquery := case when not p_read then p_query end;
begin
  if numnode(p_marks) > 0 then
    v_index := coalesce(v_index && p_marks, p_marks);
  end if;
  if v_blocks is not null then
    v_index := coalesce(v_index && v_blocks, v_blocks);
  end if;
  return (
    with found as materialized (
      select message_id, n, ts_rank(doc, p_query) + coalesce(ts_rank(doc, v_exact), 0) as rank
      from (
        select message_id, n, doc
        from (
          select message_id, n, doc from public.message_search
          where doc @@ v_index and n > p_low and n <= p_high and created_at >= v_from and created_at < v_to
          offset 0
        ) x
        where doc @@ p_query
        order by n desc
        limit case when p_after is null then 1000 else 1200 end
      ) newest
    ), counted as (
      select count(*) as matches, min(n) as n from found
    )
    select jsonb_build_object(
      'count', (select matches from counted),
      'low', (select case when matches = 1000 then n - 1 else p_low end from counted),
      'hits', coalesce((
        select jsonb_agg(to_jsonb(h) order by h.rank desc, h.n desc)
        from (
          select * from found where v_n is null or (rank, n) < (v_rank, v_n) order by rank desc, n desc limit p_limit
        ) h), '[]')));
end
$$;

-- The lexemes that narrow a search down to sessions (null: all), a channel, a role and the days from and to. Empty where it
-- is not.
create or replace function hub.search_marks(p_sessions uuid[], p jsonb) returns tsquery
language plpgsql stable as $$
declare
  v_from constant date := coalesce((p ->> 'from')::timestamptz at time zone 'UTC', timestamp '2000-01-01');
  v_to constant date := coalesce((p ->> 'to')::timestamptz at time zone 'UTC', (p ->> 'now')::timestamptz at time zone 'UTC' + interval '2 days');
  v_marks text[] := '{}';
begin
  if p_sessions is not null then
    v_marks := v_marks || (select string_agg(hub.lexeme('s:' || s), '|') from unnest(p_sessions) as s);
  end if;
  if p ? 'channel' then
    v_marks := v_marks || hub.lexeme('c:' || (p ->> 'channel'));
  end if;
  if p ? 'role' then
    v_marks := v_marks || hub.lexeme('r:' || (p ->> 'role'));
  end if;
  if (p ? 'from' or p ? 'to') and v_to - v_from between 0 and 45 then
    v_marks := v_marks || (
      select string_agg(hub.lexeme('d:' || d::date), '|') from generate_series(v_from, v_to, interval '1 day') as d);
  elsif (p ? 'from' or p ? 'to') and v_to - v_from between 0 and 20000 then
    v_marks := v_marks || (
      select string_agg(hub.lexeme('m:' || to_char(d, 'YYYY-MM')), '|')
      from generate_series(date_trunc('month', v_from), v_to, interval '1 month') as d);
  end if;
  return coalesce((select string_agg('(' || m || ')', '&') from unnest(v_marks) as m), '')::tsquery;
end
$$;

-- A page of matches in the index. Ranking all that a common word finds would take seconds: matches are ranked within
-- windows, of which each holds the newest two hundred that are left, or more. p_window: {high, low, rank, n}, where the page
-- before ended; only high where a new window begins. With p_whole there is one window. Returns {hits, window}; window is null
-- when nothing is left.
create or replace function hub.search_windows(
  p_query tsquery, p_exact tsquery, p_marks tsquery, p_window jsonb, p_whole boolean, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_high bigint := p_window ->> 'high';
  v_low bigint := p_window ->> 'low';
  v_after jsonb := case when p_window ? 'rank' then p_window end;
  v_room integer := p_limit + 1;
  v_hits jsonb := '[]';
  v_found jsonb;
begin
  while v_high > 0 loop
    if v_low is null then
      v_found := hub.search_window(p_query, p_exact, p_marks, v_high, p_whole, v_room, p);
      v_low := v_found ->> 'low';
    else
      v_found := hub.search_range(
        p_query, p_exact, p_marks, v_low, v_high, p_whole or (hub.is_prefix(p_query) and v_high - v_low <= 3 * hub.block_size(0)),
        v_after, v_room, p);
    end if;
    v_hits := v_hits || (
      select coalesce(jsonb_agg(h || jsonb_build_object('high', v_high, 'low', v_low) order by place), '[]')
      from jsonb_array_elements(v_found -> 'hits') with ordinality as u (h, place));
    v_room := p_limit + 1 - jsonb_array_length(v_hits);
    exit when v_room <= 0;
    v_high := v_low;
    v_low := null;
    v_after := null;
  end loop;
  if jsonb_array_length(v_hits) <= p_limit then
    return jsonb_build_object('hits', v_hits, 'window', null);
  end if;
  return jsonb_build_object('hits', v_hits - p_limit, 'window', (v_hits -> (p_limit - 1)) - 'message_id');
end
$$;

-- Whether a part of a query may go on.
create or replace function hub.is_prefix(p_query tsquery) returns boolean
language sql immutable parallel safe as $$ select p_query::text like '%:*%' $$;

-- The window that begins at p_high, and its best hits: {low, hits}. It grows until it holds enough: by blocks of the
-- smallest size, which are read where the query may go on, then by as much as it takes if matches go on as they are, at most a
-- block of the next size beside what completes one. With p_whole it is all at once, and read: it is not much.
create or replace function hub.search_window(
  p_query tsquery, p_exact tsquery, p_marks tsquery, p_high bigint, p_whole boolean, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_low bigint := p_high;
  v_bottom bigint;
  v_level integer := case when p_whole then 5 else 0 end;
  v_count integer := 0;
  v_missing bigint;
  v_hits jsonb := '[]';
  v_found jsonb;
begin
  while v_low > 0 and v_count < 200 loop
    v_bottom := case v_level
      when 0 then (v_low / hub.block_size(0) - 2) * hub.block_size(0) - 1
      when 5 then 0
      else (v_low / hub.block_size(v_level) - 1) * hub.block_size(v_level) - 1 end;
    v_bottom := greatest(v_bottom, 0);
    v_found := hub.search_range(
      p_query, p_exact, p_marks, v_bottom, v_low, p_whole or (v_low = p_high and hub.is_prefix(p_query)), null, p_limit, p);
    v_count := v_count + (v_found ->> 'count')::int;
    v_hits := v_hits || (v_found -> 'hits');
    v_low := v_found ->> 'low';
    v_missing := (200 - v_count) * (p_high - v_low) / greatest(v_count, 1);
    v_level := least(v_level + 1, 5);
    while v_level > 0 and v_count > 0 and hub.block_size(v_level) > v_missing loop
      v_level := v_level - 1;
    end loop;
  end loop;
  return jsonb_build_object('low', v_low, 'hits', (
    select coalesce(jsonb_agg(h order by (h ->> 'rank')::real desc, (h ->> 'n')::bigint desc), '[]')
    from (
      select h from jsonb_array_elements(v_hits) as h
      order by (h ->> 'rank')::real desc, (h ->> 'n')::bigint desc limit p_limit
    ) best));
end
$$;

-- Matches among a customer's messages that were not in the index when the search began: what waits for it, and what has
-- come into it since (n above p_high). The newest first, at most p_limit, after the one p_after ({at, id}). A hit:
-- {message_id, at}.
create or replace function hub.search_fresh(p_query tsquery, p_sessions uuid[], p_high bigint, p_after jsonb, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_at constant timestamptz := coalesce((p_after ->> 'at')::timestamptz, 'infinity');
  v_id constant uuid := coalesce((p_after ->> 'id')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from constant timestamptz := coalesce((p ->> 'from')::timestamptz, '-infinity');
  v_to constant timestamptz := coalesce((p ->> 'to')::timestamptz, 'infinity');
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object('message_id', f.message_id, 'at', f.created_at) order by f.created_at desc, f.message_id desc), '[]')
    from (
      select m.message_id, m.created_at
      from (
        select m.message_id, m.created_at, m.text
        from (
          select message_id from public.unindexed_messages where session_id = any (p_sessions)
          union
          select message_id from public.message_search
          where p_after is not null and n > p_high and doc @@ hub.search_marks(p_sessions, '{}')
        ) u join public.messages m on m.message_id = u.message_id
        where m.session_id = any (p_sessions) and hub.is_searchable(m) and (m.created_at, m.message_id) < (v_at, v_id)
          and m.created_at >= v_from and m.created_at < v_to
          and (p ->> 'channel' is null or m.channel = p ->> 'channel') and (p ->> 'role' is null or m.role = p ->> 'role')
          and not exists (
            select from public.message_search x where x.message_id = m.message_id and x.doc is not null and x.n <= p_high)
        order by m.created_at desc, m.message_id desc
        limit 2000
      ) m
      where hub.search_words(m.text) @@ p_query
      order by m.created_at desc, m.message_id desc
      limit p_limit
    ) f);
end
$$;

-- Whose messages a search may read: the sessions of a token's customer, while nobody but the same person can have had them;
-- of an admin's customer or session; null: all. A browser that nobody has signed in with passes from one to another, so its
-- token reads its own session. Refuses session_not_found, session_expired and forbidden.
create or replace function hub.search_sessions(p jsonb) returns uuid[]
language plpgsql stable as $$
declare
  c constant hub.context := hub.context_of(p);
  v_asked constant uuid := hub.follow((p ->> 'session')::uuid);
  v_customer uuid;
  v_own uuid[];
  s public.sessions;
begin
  if p ? 'token_hash' then
    select * into s from public.sessions where session_id = hub.follow(hub.token_session(p ->> 'token_hash', c));
    if s.status = 'expired' or (s.status = 'active' and s.expires_at <= c.now) then
      perform hub.refuse('session_expired');
    elsif s.status is distinct from 'active' then
      perform hub.refuse('session_not_found');
    end if;
    v_own := case when hub.is_somebody(hub.held_identities(s.customer_key))
      then hub.sessions_of(s.customer_key) else array[s.session_id] end;
    if p ? 'session' and (v_asked is null or v_asked <> all (v_own)) then
      perform hub.refuse('forbidden');
    end if;
    return case when p ? 'session' then array[v_asked] else v_own end;
  elsif p ? 'customer_id' then
    v_customer := coalesce(
      (select customer_key from public.customers where customer_id = p ->> 'customer_id'),
      (select customer_key from public.customers where customer_key::text = lower(p ->> 'customer_id')));
    v_own := hub.sessions_of(v_customer);
    return case when p ? 'session' then array(select i from unnest(v_own) as i where i = v_asked) else v_own end;
  elsif p ? 'session' then
    return array(select v_asked where v_asked is not null);
  end if;
  return null;
end
$$;

-- Messages by their words. p: {now, kiosk_idle_ms, q, token_hash | customer_id, session, channel, role, from, to, limit, after};
-- without token, customer and session all messages. Returns {results: [{message_id, session_id, channel, role, direction,
-- kind, created_at, text}], terms: [{text, prefix}], after}: first what is not in the index yet, the newest first,
-- where the sessions are known; then what is, in windows (search_windows). text is the beginning, at most 10,000 characters;
-- after is the next page's cursor, null on the last. Refuses malformed for a cursor of another search, session_not_found,
-- session_expired and forbidden.
create or replace function public.hub_search(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set enable_seqscan = off set jit = off as $$
declare
  v_sessions constant uuid[] := hub.search_sessions(p);
  v_limit constant integer := (p ->> 'limit')::int;
  v_hash constant text := left(md5((p - '{now,kiosk_idle_ms,limit,after}'::text[])::text), 12);
  v_cursor constant jsonb := case when p ? 'after' then hub.read_cursor(p ->> 'after', v_hash) end;
  q record;
  v_high bigint := v_cursor ->> 'high';
  v_hits jsonb := '[]';
  v_index jsonb;
  v_next jsonb;
begin
  q := hub.read_query(p ->> 'q');
  if numnode(q.query) = 0 or v_sessions = '{}' then
    return jsonb_build_object('results', '[]'::jsonb, 'terms', q.terms, 'after', null);
  end if;
  v_high := coalesce(v_high, (select last_value from public.message_search_n));
  if v_sessions is not null and (v_cursor is null or v_cursor ? 'id') then
    v_hits := hub.search_fresh(q.query, v_sessions, v_high, v_cursor, v_limit + 1, p);
  end if;
  if jsonb_array_length(v_hits) > v_limit then
    v_hits := v_hits - v_limit;
    v_next := jsonb_build_object('high', v_high, 'at', v_hits #> array[(v_limit - 1)::text, 'at'], 'id', v_hits #> array[(v_limit - 1)::text, 'message_id']);
  elsif jsonb_array_length(v_hits) = v_limit then
    v_next := jsonb_build_object('high', v_high);
  else
    v_index := hub.search_windows(
      q.query, q.exact, hub.search_marks(v_sessions, p), case when v_cursor ? 'n' then v_cursor else jsonb_build_object('high', v_high) end,
      coalesce((select sum(message_count) from public.sessions where session_id = any (v_sessions)) < 5000, false),
      v_limit - jsonb_array_length(v_hits), p);
    v_hits := v_hits || (v_index -> 'hits');
    v_next := nullif(v_index -> 'window', 'null');
  end if;
  return jsonb_build_object(
    'results', hub.search_results(v_hits, q.query, v_sessions),
    'terms', q.terms,
    'after', case when v_next is not null then translate(encode(convert_to(v_hash || v_next::text, 'UTF8'), 'base64'), E'+/=\n', '-_') end);
end
$$;

-- The place where a page ended: {high, low, rank, n} in the index, {high, at, id} before it. Refuses malformed.
create or replace function hub.read_cursor(p_cursor text, p_hash text) returns jsonb
language plpgsql stable as $$
declare
  v_text text;
begin
  begin
    v_text := convert_from(decode(rpad(translate(p_cursor, '-_', '+/'), (length(p_cursor) + 3) / 4 * 4, '='), 'base64'), 'UTF8');
    if left(v_text, length(p_hash)) = p_hash then
      return substr(v_text, length(p_hash) + 1)::jsonb;
    end if;
  exception when data_exception then
    null;
  end;
  perform hub.refuse('malformed', '{"reason": "cursor"}');
end
$$;

-- The messages of a page, in its order. One that does not say any more what was found, or is in none of the sessions any
-- more, is left out: the index may be a moment behind.
create or replace function hub.search_results(p_hits jsonb, p_query tsquery, p_sessions uuid[]) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'message_id', m.message_id, 'session_id', m.session_id, 'channel', m.channel, 'role', m.role, 'direction', m.direction,
      'kind', m.kind, 'created_at', m.created_at, 'text', left(m.text, 10000)) order by h.place), '[]')
  from jsonb_array_elements(p_hits) with ordinality as h (hit, place)
    join public.messages m on m.message_id = (h.hit ->> 'message_id')::uuid
  where hub.is_searchable(m) and (p_sessions is null or m.session_id = any (p_sessions)) and hub.search_words(m.text) @@ p_query
$$;
