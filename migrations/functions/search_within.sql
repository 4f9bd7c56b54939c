-- Finds parts of words. Only a database with PGroonga has hub.message_texts (migrations/optional/pgroonga.sql); without it these functions
-- do nothing. So their statements are text: Postgres plans them only where the table is there.

-- Whether the database can find parts of words.
create or replace function hub.finds_within() returns boolean
language sql stable as $$
  select to_regclass('hub.message_texts') is not null
$$;

-- Keeps the texts of messages that were just indexed, and removes those of messages that no search may find.
create or replace function hub.keep_texts(p_ids uuid[]) returns void
language plpgsql volatile as $$
begin
  if not hub.finds_within() then
    return;
  end if;
  execute $sql$
    delete from hub.message_texts t
      where t.message_id = any ($1) and not exists (
        select from public.messages m where m.message_id = t.message_id and hub.is_searchable(m))
  $sql$ using p_ids;
  execute $sql$
    insert into hub.message_texts (message_id, text)
      select m.message_id, hub.fold(m.text) from public.messages m where m.message_id = any ($1) and hub.is_searchable(m)
      on conflict (message_id) do update set text = excluded.text where message_texts.text <> excluded.text
  $sql$ using p_ids;
end
$$;

-- Removes the text of an indexed message that was changed or deleted, in the transaction of the change. The text of one that is being
-- indexed meanwhile goes with the next batch.
create or replace function hub.forget_text(p_id uuid) returns void
language plpgsql volatile as $$
begin
  if hub.finds_within() then
    execute 'delete from hub.message_texts where message_id = $1' using p_id;
  end if;
end
$$;

-- Adds the texts of all indexed messages that lack one: when the table is new, and after a restore. The indexer waits meanwhile.
create or replace function hub.fill_texts() returns void
language plpgsql volatile as $$
begin
  if not hub.finds_within() then
    return;
  end if;
  perform pg_advisory_xact_lock(hashtextextended('message_search', 0));
  execute $sql$
    insert into hub.message_texts (message_id, text)
      select m.message_id, hub.fold(m.text)
      from public.message_search x join public.messages m on m.message_id = x.message_id
      where x.doc is not null and hub.is_searchable(m)
      on conflict (message_id) do nothing
  $sql$;
end
$$;

-- What a search looks for within words: its folded text without quotation marks. Null if it has fewer than two letters.
create or replace function hub.within_of(p_q text) returns text
language plpgsql stable as $$
declare
  v_text constant text := btrim(regexp_replace(translate(hub.fold(p_q), '"“”„«»', ''), '[[:space:]]+', ' ', 'g'));
begin
  return case when length(v_text) between 2 and 100 then v_text end;
end
$$;

-- Messages that have p_text within their words: [{message_id}], the newest first, at most p_limit, after p_after. p_sessions null: in all
-- sessions. p: {from, to, channel, role}. The index may be behind: the caller compares each message with its current text.
create or replace function hub.search_within(p_text text, p_sessions uuid[], p_after uuid, p_limit integer, p jsonb) returns jsonb
language plpgsql stable as $$
declare
  v_found jsonb;
begin
  -- &@ is PGroonga's operator for texts that hold a keyword. It is in the extension's schema.
  execute format(
    $sql$
      -- The index comes first: with the order and the limit beside it, a plan may read all messages from the newest on.
      with matching as materialized (select message_id from hub.message_texts where text operator(%I.&@) $1)
      select coalesce(jsonb_agg(jsonb_build_object('message_id', f.message_id) order by f.message_id desc), '[]')
      from (
        select m.message_id
        from matching t join public.messages m on m.message_id = t.message_id
        where ($2 is null or m.session_id = any ($2)) and ($3 is null or m.message_id < $3)
          and ($5 is null or m.created_at >= $5) and ($6 is null or m.created_at < $6)
          and ($7 is null or m.channel = $7) and ($8 is null or m.role = $8)
        order by m.message_id desc
        limit $4
      ) f
    $sql$,
    (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgroonga'))
    into v_found
    using p_text, p_sessions, p_after, p_limit, (p ->> 'from')::timestamptz, (p ->> 'to')::timestamptz, p ->> 'channel', p ->> 'role';
  return v_found;
end
$$;
