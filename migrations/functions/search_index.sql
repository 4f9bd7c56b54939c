-- Fills the search's index: message_search, with a row for each message. unindexed_messages lists the messages that are to be
-- indexed. It also has the messages without words, for the statistics: what is taken from it is added to their queue, so
-- that storing a message adds one row to one list and not two.

-- The rows of the index are in blocks by their n. A search reads some blocks at a time, the newest first. A block of level 0
-- has 2048 rows; four blocks of one level are a block of the next. There are five levels.
create or replace function hub.block_size(p_level integer) returns bigint
language sql immutable parallel safe as $$ select 2048::bigint << (2 * p_level) $$;

-- The marks of the blocks to which a row of the index belongs.
create or replace function hub.block_marks(p_n bigint) returns text[]
language sql immutable parallel safe as $$
  select array[
    'b0:' || p_n / 2048, 'b1:' || p_n / 8192, 'b2:' || p_n / 32768, 'b3:' || p_n / 131072, 'b4:' || p_n / 524288]
$$;

-- A query for the fewest blocks that hold all rows with p_low < n <= p_high. At either end they may hold more rows, fewer than
-- a block of level 0. Null if there would be more than 64 blocks: then the query costs more than it saves.
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

-- Whether a search may find a message: it has text, is no system message, and is neither erased nor deleted.
create or replace function hub.is_searchable(m public.messages) returns boolean
language sql immutable parallel safe as $$
  select m.text <> '' and m.kind <> 'system'
$$;

-- The words of a message and its marks: session, channel, role, day, month, and the blocks of its row p_n.
create or replace function hub.search_doc(m public.messages, p_n bigint) returns tsvector
language sql stable parallel safe as $$
  select hub.search_words(m.text) || array_to_tsvector(array[
    's:' || m.session_id, 'c:' || m.channel, 'r:' || m.role,
    'd:' || (m.created_at at time zone 'UTC')::date, 'm:' || to_char(m.created_at at time zone 'UTC', 'YYYY-MM')]
    || hub.block_marks(p_n))
$$;

-- Adds a new message to unindexed_messages.
create or replace function hub.queue_new_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.unindexed_messages values (new.message_id, new.session_id, now());
  return null;
end
$$;

create or replace trigger message_search_new after insert on public.messages
  for each row execute function hub.queue_new_message();

-- Removes the words of a message from the index at once when its text, kind or session changes, and adds it to
-- unindexed_messages, so that it is indexed again.
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

-- Removes a deleted message from the index. If it is not there, another transaction may be indexing it, so it is added to
-- unindexed_messages, and the next batch removes it.
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

-- Indexes messages of unindexed_messages, at most limit, and deletes their rows there in the same transaction. p: {limit}.
-- Returns {indexed, more}: how many messages, and whether more are left. Only one call at a time indexes; others return at
-- once. It waits for no lock: messages whose rows in the index are locked are left for the next call.
create or replace function public.hub_index_messages(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_rows tid[];
  v_ids uuid[];
  v_queued_at timestamptz;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('message_search', 0)) then
    return '{"indexed": 0, "more": false}';
  end if;
  select array_agg(u.ctid), array_agg(distinct u.message_id), min(u.queued_at) into v_rows, v_ids, v_queued_at
    from (select ctid, message_id, queued_at from public.unindexed_messages limit v_limit) u;
  if v_rows is null then
    return '{"indexed": 0, "more": false}';
  end if;
  v_ids := hub.free_to_index(v_ids);
  delete from public.unindexed_messages where ctid = any (v_rows) and message_id = any (v_ids);
  insert into public.stats_queue (session_id, since, queued_at)
    select session_id, min(created_at), v_queued_at from public.messages where message_id = any (v_ids) group by session_id;
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

-- Locks the rows that these messages have in the index. Returns the messages without those whose row is locked by another
-- transaction.
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

-- How far the index is behind. p: {}. Returns {waiting, lag_ms}: the rows in unindexed_messages, and the age of the oldest by
-- the database's clock; 0 without rows.
create or replace function public.hub_search_lag(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'waiting', count(*),
    'lag_ms', coalesce(greatest(0, floor(extract(epoch from clock_timestamp() - min(queued_at)) * 1000)), 0))
  from public.unindexed_messages
$$;
