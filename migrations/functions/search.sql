-- Reads the search's index. How words are folded is in search_words.sql, how a query is parsed in search_query.sql, and how
-- the index is filled in search_index.sql.

-- The matches of a query with p_low < n <= p_high. Returns {count, low, hits: [{message_id, rank, n}]}: hits are the best
-- p_limit matches after the hit p_after, best first. Only the newest thousand matches are ranked, because ranking tens of
-- thousands takes too long; if there are more, low is the n below them, else p_low. With p_after the window is already known;
-- it holds at most 1200 matches. p_marks are lexemes of the index for the filters, and r those for from and to; p: {from, to}.
-- With p_read all rows of the range are read, and the GIN index is not searched for the words: for the beginning of a common word
-- it would collect every message.
create or replace function hub.search_range(
  p_query tsquery, p_exact tsquery, p_marks tsquery, r hub.search_dates, p_low bigint, p_high bigint, p_read boolean, p_after jsonb,
  p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_from constant timestamptz := coalesce((p ->> 'from')::timestamptz, '-infinity');
  v_to constant timestamptz := coalesce((p ->> 'to')::timestamptz, 'infinity');
  v_rank constant real := p_after ->> 'rank';
  v_n constant bigint := p_after ->> 'n';
  v_blocks constant tsquery := hub.blocks_of(p_low, p_high);
  -- Compared as text: to Postgres two queries are equal if they differ only in a prefix mark.
  v_exact constant tsquery := case when p_exact::text <> p_query::text then p_exact end;
  v_index tsquery := case when not p_read then p_query end;
begin
  if numnode(p_marks) > 0 then
    v_index := coalesce(v_index && p_marks, p_marks);
  end if;
  if p_low < r.low or p_high > r.high then
    v_index := coalesce(v_index && r.days, r.days);
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

-- The lexemes that limit a search to p_sessions (null: all sessions), a channel and a role. An empty query if nothing limits it.
-- p: {channel, role}.
create or replace function hub.search_marks(p_sessions uuid[], p jsonb) returns tsquery
language plpgsql stable as $$
declare
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
  return coalesce((select string_agg('(' || m || ')', '&') from unnest(v_marks) as m), '')::tsquery;
end
$$;

-- Where the messages between from and to are in the index. p: {now, from, to}. Almost all have low <= n <= high, which are ends of
-- blocks; messages that were stored late may have any n. days are the lexemes of the days from from to to, or of the months if they
-- are many. It is searched for them only outside low and high: the lists of a month's days are long. low is 0 and high without
-- limit if there is neither from nor to, or if the span has no lexemes.
create or replace function hub.search_dates(p jsonb) returns hub.search_dates
language plpgsql stable as $$
declare
  v_from constant date := coalesce((p ->> 'from')::timestamptz at time zone 'UTC', timestamp '2000-01-01');
  v_to constant date := coalesce((p ->> 'to')::timestamptz at time zone 'UTC', (p ->> 'now')::timestamptz at time zone 'UTC' + interval '2 days');
  r hub.search_dates := row(0, 9223372036854775807, null);
begin
  if not (p ? 'from' or p ? 'to') or v_to - v_from not between 0 and 20000 then
    return r;
  end if;
  if v_to - v_from <= 45 then
    r.days := (select string_agg(hub.lexeme('d:' || d::date), '|') from generate_series(v_from, v_to, interval '1 day') as d)::tsquery;
  else
    r.days := (
      select string_agg(hub.lexeme('m:' || to_char(d, 'YYYY-MM')), '|')
      from generate_series(date_trunc('month', v_from), v_to, interval '1 month') as d)::tsquery;
  end if;
  if p ? 'from' then
    r.low := greatest(0, hub.indexed_before((p ->> 'from')::timestamptz) / hub.block_size(0) * hub.block_size(0) - 1);
  end if;
  if p ? 'to' then
    r.high := (hub.indexed_before((p ->> 'to')::timestamptz) / hub.block_size(0) + 1) * hub.block_size(0) - 1;
  end if;
  return r;
end
$$;

-- The n of the messages that were stored shortly before an instant: the middle one of 21, as some may have been indexed late. 0 if
-- there are none.
create or replace function hub.indexed_before(p_at timestamptz) returns bigint
language sql stable as $$
  select coalesce(percentile_disc(0.5) within group (order by n), 0)
  from (
    select n from public.message_search where message_id < hub.uuid_from(p_at) order by message_id desc limit 21
  ) x
$$;

-- A page of matches in the index. Ranking all matches of a common word would take seconds, so matches are ranked in windows.
-- Each window holds the newest two hundred of the remaining matches, or more. p_window: {high, low, rank, n} is the last hit
-- of the page before, with its window; {high} alone begins a new window. With p_whole the whole index is one window. Returns
-- {hits, window}; window is null if no matches are left.
create or replace function hub.search_windows(
  p_query tsquery, p_exact tsquery, p_marks tsquery, r hub.search_dates, p_window jsonb, p_whole boolean, p_limit integer, p jsonb) returns jsonb
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
      v_found := hub.search_window(p_query, p_exact, p_marks, r, v_high, p_whole, v_room, p);
      v_low := v_found ->> 'low';
    else
      v_found := hub.search_range(
        p_query, p_exact, p_marks, r, v_low, v_high, p_whole or (hub.is_prefix(p_query) and v_high - v_low <= 3 * hub.block_size(0)),
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

-- Whether a query has a prefix: a word that also matches longer words.
create or replace function hub.is_prefix(p_query tsquery) returns boolean
language sql immutable parallel safe as $$ select p_query::text like '%:*%' $$;

-- The window that begins at p_high, and its best p_limit hits. Returns {low, hits}. The window grows downwards until it holds
-- two hundred matches: first by two blocks of the smallest size, then by one block at a time, and always by the rest of a
-- block that is only partly in it. The size of the next block follows from the share of matches so far, and is at most one
-- level above the last one. The messages above r are one range. For a query with a prefix all rows of the first blocks are read. With p_whole the window is the
-- whole index, and all rows with the marks are read: they are few.
create or replace function hub.search_window(
  p_query tsquery, p_exact tsquery, p_marks tsquery, r hub.search_dates, p_high bigint, p_whole boolean, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_low bigint := p_high;
  v_start bigint := p_high;
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
    -- A range is either of the messages between from and to, or above, or below.
    if not p_whole then
      v_bottom := case when v_low > r.high then r.high when v_low > r.low then greatest(v_bottom, r.low) else 0 end;
    end if;
    v_bottom := greatest(v_bottom, 0);
    v_found := hub.search_range(
      p_query, p_exact, p_marks, r, v_bottom, v_low, p_whole or (v_low = v_start and v_low <= r.high and hub.is_prefix(p_query)),
      null, p_limit, p);
    v_count := v_count + (v_found ->> 'count')::int;
    v_hits := v_hits || (v_found -> 'hits');
    v_low := v_found ->> 'low';
    if v_low = r.high and not p_whole then
      v_start := v_low;
      continue;
    end if;
    v_missing := (200 - v_count) * (v_start - v_low) / greatest(v_count, 1);
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

-- Matches among messages of p_sessions that were not in the index when the search began: those in unindexed_messages, new ones
-- that are not settled, and those that were indexed since (n above p_high). Returns [{message_id, at}], the newest first, at most p_limit, after p_after
-- ({at, id}). p: {from, to, channel, role}.
create or replace function hub.search_fresh(p_query tsquery, p_sessions uuid[], p_high bigint, p_after jsonb, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_at constant timestamptz := coalesce((p_after ->> 'at')::timestamptz, 'infinity');
  v_id constant uuid := coalesce((p_after ->> 'id')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  v_from constant timestamptz := coalesce((p ->> 'from')::timestamptz, '-infinity');
  v_to constant timestamptz := coalesce((p ->> 'to')::timestamptz, 'infinity');
  v_settled constant uuid := coalesce(
    (select settled from public.search_progress), '00000000-0000-0000-0000-000000000000');
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
          -- A message that is not listed there has a seq that is at most punctual_within below its id's time.
          select message_id from public.messages
          where session_id = any (p_sessions) and message_id >= v_settled
            and seq >= extract(epoch from hub.uuid_time(v_settled) - 2 * hub.punctual_within()) * 1000000
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

-- The sessions whose messages a search may read; null: all sessions. With a token they are its customer's. If nobody has
-- signed in there, only the token's own session: several people may have used the browser. Without a token they are those of
-- customer_id or session. p: {now, kiosk_idle_ms, token_hash | customer_id, session}. Refuses session_not_found,
-- session_expired, and forbidden if session is not the token's customer's.
create or replace function hub.search_sessions(p jsonb) returns uuid[]
language plpgsql stable as $$
declare
  c constant hub.context := hub.context_of(p);
  v_asked constant uuid := hub.follow((p ->> 'session')::uuid);
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
    v_own := hub.sessions_of(hub.customer_at(p ->> 'customer_id'));
    return case when p ? 'session' then array(select i from unnest(v_own) as i where i = v_asked) else v_own end;
  elsif p ? 'session' then
    return array(select v_asked where v_asked is not null);
  end if;
  return null;
end
$$;

-- Finds messages by their words. p: {now, kiosk_idle_ms, q, token_hash | customer_id, session, channel, role, from, to, limit,
-- after}; without token_hash, customer_id and session it searches all messages. Returns {results: [{message_id, session_id,
-- channel, role, direction, kind, created_at, text}], terms: [{text, prefix}], after}. If the sessions are known, matches that
-- are not indexed yet come first, the newest first; then indexed matches in windows (search_windows). text is cut after 10,000
-- characters. after is the next page's cursor, null on the last page. If no word matches, and the database can find parts of words
-- (search_within.sql), the matches are those, the newest first, and the one term has within. Refuses malformed for a cursor of another
-- search, session_not_found, session_expired and forbidden.
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
  v_within text;
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
  elsif v_cursor is null or not v_cursor ? 'within' then
    v_index := hub.search_windows(
      q.query, q.exact, hub.search_marks(v_sessions, p), hub.search_dates(p), case when v_cursor ? 'n' then v_cursor else jsonb_build_object('high', v_high) end,
      coalesce((select sum(message_count) from public.sessions where session_id = any (v_sessions)) < 5000, false),
      v_limit - jsonb_array_length(v_hits), p);
    v_hits := v_hits || (v_index -> 'hits');
    v_next := nullif(v_index -> 'window', 'null');
  end if;
  if v_cursor ? 'within' or (v_cursor is null and v_hits = '[]' and hub.finds_within()) then
    v_within := hub.within_of(p ->> 'q');
  end if;
  if v_within is not null then
    v_hits := hub.search_within(v_within, v_sessions, (v_cursor ->> 'within')::uuid, v_limit + 1, p);
    if jsonb_array_length(v_hits) > v_limit then
      v_hits := v_hits - v_limit;
      v_next := jsonb_build_object('high', v_high, 'within', v_hits #> array[(v_limit - 1)::text, 'message_id']);
    end if;
  end if;
  return jsonb_build_object(
    'results', hub.search_results(v_hits, q.query, v_within, v_sessions),
    'terms', case when v_within is null then q.terms
      else jsonb_build_array(jsonb_build_object('text', v_within, 'prefix', false, 'within', true)) end,
    'after', case when v_next is not null then translate(encode(convert_to(v_hash || v_next::text, 'UTF8'), 'base64'), E'+/=\n', '-_') end);
end
$$;

-- Where the page before ended: {high, low, rank, n} among indexed matches, {high, at, id} among matches that were not indexed,
-- {high} between the two, and {high, within} among parts of words. p_hash is of the search's arguments. Refuses malformed for a cursor of another search.
create or replace function hub.read_cursor(p_cursor text, p_hash text) returns jsonb
language plpgsql stable as $$
declare
  v_text text;
  v jsonb;
begin
  begin
    v_text := convert_from(decode(rpad(translate(p_cursor, '-_', '+/'), (length(p_cursor) + 3) / 4 * 4, '='), 'base64'), 'UTF8');
    if left(v_text, length(p_hash)) = p_hash then
      v := substr(v_text, length(p_hash) + 1);
      -- Whoever has a cursor may change what follows the hash.
      perform (v ->> 'high')::bigint, (v ->> 'low')::bigint, (v ->> 'n')::bigint, (v ->> 'rank')::real, (v ->> 'at')::timestamptz,
        (v ->> 'id')::uuid, (v ->> 'within')::uuid;
      if v ->> 'high' is not null and not (v ? 'within' and not hub.finds_within()) then
        return v;
      end if;
    end if;
  exception when data_exception then
    null;
  end;
  perform hub.refuse('malformed', '{"reason": "cursor"}');
end
$$;

-- The messages of a page, in the order of p_hits. The index may be behind, so messages that no longer match the query, or no longer hold
-- p_within where it is given, or are no longer in the sessions are left out.
create or replace function hub.search_results(p_hits jsonb, p_query tsquery, p_within text, p_sessions uuid[]) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'message_id', m.message_id, 'session_id', m.session_id, 'channel', m.channel, 'role', m.role, 'direction', m.direction,
      'kind', m.kind, 'created_at', m.created_at, 'text', left(m.text, 10000)) order by h.place), '[]')
  from jsonb_array_elements(p_hits) with ordinality as h (hit, place)
    join public.messages m on m.message_id = (h.hit ->> 'message_id')::uuid
  where hub.is_searchable(m) and (p_sessions is null or m.session_id = any (p_sessions))
    and case when p_within is null then hub.search_words(m.text) @@ p_query else position(p_within in hub.fold(m.text)) > 0 end
$$;
