-- Fills the search's index: message_search, with a row for each message that has words.
--
-- The indexer finds new messages by their ids, which begin with the time. Transactions do not commit in the order of their
-- ids, so it reads the newest messages again and again, until none can appear among them any more: those before
-- search_progress.settled. A message whose id does not tell when it was stored, and one that changes, has a row in
-- unindexed_messages. The sessions of all these messages are added to the statistics' queue, also those of messages without words,
-- which may be added several times.
--
-- Why no message is missed. Take a message without a row in unindexed_messages that a read does not see. The read took place in a
-- transaction whose snapshot says that all transactions before read_before have ended, so the message's transaction got its id
-- later, after read_at, and inserted the message after that. The id of the message was then at most punctual_within before the
-- clock, so it is not below read_at - punctual_within. settled lies another punctual_within before that: by so much the
-- database's clock may be set back.

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

-- How far a message's time may be off the database's clock when it is stored.
create or replace function hub.punctual_within() returns interval
language sql immutable parallel safe as $$ select interval '5 seconds' $$;

-- Adds a new message to unindexed_messages if its id or its created_at is off the database's clock: a message of the journal,
-- one of a caller whose clock is wrong, one that waited long for a lock. The indexer finds all others by their ids. The clock is
-- that of this moment and not of the transaction's start, and there is no WHEN: its condition would be planned for each insert.
create or replace function hub.queue_late_message() returns trigger
language plpgsql set search_path = '' as $$
declare
  v_from constant timestamptz := clock_timestamp() - hub.punctual_within();
  v_to constant timestamptz := v_from + 2 * hub.punctual_within();
begin
  if new.created_at not between v_from and v_to
    or uuid_send(new.message_id) not between
      substring(int8send((date_part('epoch', v_from) * 1000)::bigint) from 3)
      and substring(int8send((date_part('epoch', v_to) * 1000)::bigint) from 3)
  then
    insert into public.unindexed_messages values (new.message_id, new.session_id, now());
  end if;
  return null;
end
$$;

create or replace trigger message_search_new after insert on public.messages
  for each row execute function hub.queue_late_message();

-- Removes the words of a message from the index at once when its text, kind or session changes, and adds it to
-- unindexed_messages, so that it is indexed again.
create or replace function hub.queue_changed_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  update public.message_search set doc = null where message_id = new.message_id;
  perform hub.forget_text(new.message_id);
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
  perform hub.forget_text(old.message_id);
  return null;
end
$$;

create or replace trigger message_search_deleted after delete on public.messages
  for each row when (old.text <> '' and old.kind <> 'system') execute function hub.forget_message();

-- Indexes messages, at most limit: those of unindexed_messages, whose rows it deletes in the same transaction, then new ones. p:
-- {limit}. Returns {indexed, more}: how many messages, and whether more are left. Only one call at a time indexes; others return at
-- once. It waits for no lock: messages whose rows in the index are locked are left for the next call.
create or replace function public.hub_index_messages(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_rows tid[];
  v_ids uuid[];
  v_queued_at timestamptz;
  v_more boolean;
  v_new record;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('message_search', 0)) then
    return '{"indexed": 0, "more": false}';
  end if;
  select coalesce(array_agg(u.ctid), '{}'), coalesce(array_agg(distinct u.message_id), '{}'), coalesce(min(u.queued_at), now())
    into v_rows, v_ids, v_queued_at
    from (select ctid, message_id, queued_at from public.unindexed_messages limit v_limit) u;
  if v_rows <> '{}' then
    v_ids := hub.free_to_index(v_ids);
    delete from public.unindexed_messages where ctid = any (v_rows) and message_id = any (v_ids);
  end if;
  v_more := cardinality(v_rows) = v_limit and v_ids <> '{}';
  if cardinality(v_rows) < v_limit then
    v_new := hub.read_new_messages(v_limit - cardinality(v_rows));
    v_new.ids := array(select i from unnest(v_new.ids) as i where i <> all (v_ids) order by i);
    v_ids := v_ids || v_new.ids;
    v_more := v_new.more;
    if v_new.ids <> '{}' then
      v_queued_at := least(v_queued_at, hub.uuid_time(v_new.ids[1]));
    end if;
    insert into public.stats_queue (session_id, since, queued_at)
      select session_id, min(created_at), now() from public.messages m
      where message_id >= v_new.first_id and message_id < v_new.end_id and not hub.is_searchable(m) group by session_id;
  end if;
  if v_ids = '{}' then
    return jsonb_build_object('indexed', 0, 'more', v_more);
  end if;
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
  perform hub.keep_texts(v_ids);
  return jsonb_build_object('indexed', cardinality(v_ids), 'more', v_more);
end
$$;

-- The new messages that are to be indexed, at most p_limit, whether more may be left, and which messages were read: those from
-- first_id on and below end_id; null if none. The index is looked up for each message:
-- a join would read all of it, if it was planned while the index was small. Moves search_progress on. Of
-- messages that are settled it reads at most ten thousand: without the row of search_progress it begins with the first message.
--
-- The calls of one pass continue at read_to, so that they do not read the messages that are not settled again and again. The next
-- pass begins at settled. settled only moves in a call that begins there: messages before read_to were read by an older snapshot.
-- After the last call of a pass with several more is true, because a message may have appeared behind read_to meanwhile.
create or replace function hub.read_new_messages(p_limit integer, out ids uuid[], out more boolean, out first_id uuid, out end_id uuid)
language plpgsql volatile as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_past constant uuid := hub.uuid_from(clock_timestamp() + 2 * hub.punctual_within());
  v_from uuid;
  v_settled uuid;
  v_stop uuid;
  s public.search_progress;
begin
  select * into s from public.search_progress;
  if s.settled is null then
    insert into public.search_progress (settled, read_at, read_before)
      values ('00000000-0000-0000-0000-000000000000', now(), pg_snapshot_xmax(v_snapshot))
      returning * into s;
  end if;
  v_from := coalesce(s.read_to, s.settled);
  ids := '{}';
  more := false;
  -- Nothing is written while there is nothing to read.
  if not exists (select from public.messages where message_id >= s.settled and message_id < v_past) then
    return;
  end if;
  if v_from = s.settled and s.read_before <= pg_snapshot_xmin(v_snapshot) then
    v_settled := greatest(s.settled, hub.uuid_from(s.read_at - 2 * hub.punctual_within()));
    v_stop := (
      select message_id from public.messages
      where message_id >= s.settled and message_id < v_settled order by message_id offset 10000 limit 1);
  end if;
  ids := array(
    select m.message_id
    from public.messages m
    where m.message_id >= v_from and m.message_id < coalesce(v_stop, v_past) and hub.is_searchable(m)
      and (select x.message_id from public.message_search x where x.message_id = m.message_id) is null
    order by m.message_id
    limit p_limit);
  first_id := v_from;
  end_id := case when cardinality(ids) = p_limit then ids[p_limit] else coalesce(v_stop, v_past) end;
  more := end_id < v_past or v_from > s.settled;
  -- A snapshot is younger than the start of its transaction. A transaction id from the future is of another server, from which
  -- the database was copied.
  if v_settled is not null or s.read_before > pg_snapshot_xmax(v_snapshot) then
    update public.search_progress
      set settled = case when v_settled is null then settled else least(v_settled, end_id) end,
          read_at = now(),
          read_before = pg_snapshot_xmax(v_snapshot),
          read_to = case when end_id < v_past then end_id end;
  elsif more or s.read_to is not null then
    update public.search_progress set read_to = case when end_id < v_past then end_id end;
  end if;
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

-- The time in a UUID version 7.
create or replace function hub.uuid_time(p_id uuid) returns timestamptz
language sql immutable parallel safe as $$
  select to_timestamp(('x' || left(replace(p_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0)
$$;

-- The messages that wait to be indexed, and since when: those of unindexed_messages, and the new ones among the first fifty
-- thousand that are not settled.
create or replace function hub.messages_to_index() returns table (message_id uuid, since timestamptz)
language sql stable as $$
  select w.message_id, coalesce(min(w.queued_at), min(w.stored_at))
  from (
    select message_id, queued_at, null as stored_at from public.unindexed_messages
    union all
    select m.message_id, null, hub.uuid_time(m.message_id)
    from (
      select * from public.messages
      where message_id >= coalesce((select settled from public.search_progress), '00000000-0000-0000-0000-000000000000')
        and message_id < hub.uuid_from(clock_timestamp() + 2 * hub.punctual_within())
      order by message_id
      limit 50000
    ) m
    where hub.is_searchable(m)
      and (select x.message_id from public.message_search x where x.message_id = m.message_id) is null
  ) w
  group by w.message_id
$$;

-- The instant up to which all committed messages are indexed: now if none waits. It is the least of hub.messages_to_index; of the
-- messages that are only there by their id it looks for the first, because ids begin with the time.
create or replace function hub.indexed_until() returns timestamptz
language sql stable as $$
  select coalesce(
    least(
      (select min(queued_at) from public.unindexed_messages),
      (
        select hub.uuid_time(m.message_id)
        from (
          select * from public.messages
          where message_id >= coalesce((select settled from public.search_progress), '00000000-0000-0000-0000-000000000000')
            and message_id < hub.uuid_from(clock_timestamp() + 2 * hub.punctual_within())
          order by message_id
          limit 50000
        ) m
        where hub.is_searchable(m)
          and (select x.message_id from public.message_search x where x.message_id = m.message_id) is null
          and m.message_id not in (select message_id from public.unindexed_messages)
        order by m.message_id
        limit 1)),
    clock_timestamp())
$$;

-- How far the index is behind. p: {}. Returns {waiting, lag_ms}: the number of messages that wait to be indexed, and how long the
-- first has waited, by the database's clock; 0 if none waits.
create or replace function public.hub_search_lag(p jsonb) returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  select jsonb_build_object(
    'waiting', count(*),
    'lag_ms', coalesce(greatest(0, floor(extract(epoch from clock_timestamp() - min(since)) * 1000)), 0))
  from hub.messages_to_index()
$$;
