-- The documents that frontends keep in a session (data and metadata): patched, merged and measured.

-- Refuses payload_too_large for a patch with more than 32 levels of objects and arrays, with more than 10,000 keys, or with more than
-- 500 objects that hold objects. Its twin is mergePatch in src/core/json.ts. Most patches are not counted: each key is followed by '": '
-- in the text, and each object begins with a brace.
create or replace function hub.refuse_patch(p_patch jsonb) returns void
language plpgsql immutable as $$
declare
  v_said constant text := p_patch::text;
begin
  if jsonb_path_exists(p_patch, 'strict $.**{32} ? (@.type() == "object" || @.type() == "array")', silent => true)
    or length(v_said) - length(replace(v_said, '": ', '')) > 3 * hub.patch_keys()
      and (select count(*) from jsonb_path_query(p_patch, 'strict $.** ? (@.type() == "object").keyvalue()')) > hub.patch_keys()
    or length(v_said) - length(replace(v_said, '{', '')) > hub.patch_objects()
      and (
        select count(*)
        from jsonb_path_query(p_patch, 'strict $.** ? (@.type() == "object" && exists(@.*.** ? (@.type() == "object")))')
      ) > hub.patch_objects()
  then
    perform hub.refuse('payload_too_large');
  end if;
end
$$;

-- Whether an object has no null to remove and no object to merge, so far as its text shows.
create or replace function hub.is_plain(p_object jsonb) returns boolean
language sql immutable parallel safe as $$
  select position('null' in p_object::text) = 0 and position('{' in substr(p_object::text, 2)) = 0
$$;

-- JSON merge patch (RFC 7396): null removes, objects merge, anything else replaces. Each level is built once. Only an object
-- with objects in it costs a call, if it meets an object, or if it has a null and an array: in an array a null is a value. said is the text of an object of the patch.
create or replace function hub.merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;
  if jsonb_typeof(p_target) is distinct from 'object' then
    p_target := '{}';
  end if;
  if hub.is_plain(p_patch) then
    return p_target || p_patch;
  end if;
  return (
    select coalesce(jsonb_object_agg(key, case
        when e.value is null then t.value
        when e.said is null then e.value
        when jsonb_typeof(t.value) is distinct from 'object' then case
          when position('null' in e.said) = 0 then e.value
          when position('[' in e.said) = 0 then jsonb_strip_nulls(e.value)
          when position('{' in substr(e.said, 2)) > 0 then hub.merge_patch(null, e.value)
          else e.value - array(select n.key from jsonb_each(e.value) as n where n.value = 'null') end
        when position('{' in substr(e.said, 2)) > 0 then hub.merge_patch(t.value, e.value)
        when position('null' in e.said) = 0 then t.value || e.value
        else (t.value || e.value) - array(select n.key from jsonb_each(e.value) as n where n.value = 'null') end)
        filter (where e.value is distinct from 'null'), '{}')
    from jsonb_each(p_target) as t
      full join (
        select key, value, case when jsonb_typeof(value) = 'object' then value::text end as said
        from jsonb_each(p_patch)
        offset 0) as e using (key));
end
$$;

-- Whether a value is empty: null, "", [] or {}.
create or replace function hub.is_empty(p_value jsonb) returns boolean
language sql immutable parallel safe as $$
  select p_value in ('null', '""', '[]', '{}')
$$;

-- The member by which an item of an array is found in another array: id, else sku, as text or number. Null without one.
create or replace function hub.item_key(p_item jsonb) returns text
language sql immutable parallel safe as $$
  select k from unnest('{id,sku}'::text[]) with ordinality as u (k, place)
  where jsonb_typeof(p_item) = 'object' and jsonb_typeof(p_item -> k) in ('string', 'number')
  order by place limit 1
$$;

-- The items of an array. same: the value by which an item is found in another array. nth: how many items with the same
-- value came before it. step: its step in a path, [sku=A], or nothing.
create or replace function hub.items(p_array jsonb)
returns table (place bigint, item jsonb, same jsonb, nth bigint, step text)
language sql immutable parallel safe as $$
  select x.place, x.item, x.same, row_number() over (partition by x.same order by x.place), x.step
  from (
    select a.place, a.item,
      case when k.key is null then a.item else jsonb_build_object(k.key, a.item -> k.key) end as same,
      case when k.key is null then '' else '[' || k.key || '=' || (a.item ->> k.key) || ']' end as step
    from jsonb_array_elements(p_array) with ordinality as a (item, place), hub.item_key(a.item) as k (key)
  ) x
$$;

-- Merges a newer value into an older one without loss: objects key by key, arrays item by item. A filled value wins
-- over an empty one; of two filled values the newer one wins. conflicts: [{path, value, session_id}] of the older
-- values that lost, in objects by key, in arrays in the older one's order. An absent value is null, not 'null'.
create or replace function hub.merge_values(
  p_path text, p_older jsonb, p_newer jsonb, p_session text, out merged jsonb, out conflicts jsonb)
language plpgsql immutable parallel safe as $$
begin
  conflicts := '[]';
  if p_older is null or p_newer is null or p_older = p_newer then
    merged := coalesce(p_newer, p_older);
  elsif jsonb_typeof(p_older) = 'object' and jsonb_typeof(p_newer) = 'object' then
    select coalesce(jsonb_object_agg(key, m.merged), '{}'),
        coalesce(jsonb_agg(m.conflicts order by key collate "C") filter (where m.conflicts <> '[]'), '[]')
      into merged, conflicts
      from jsonb_each(p_older) as o full join jsonb_each(p_newer) as n using (key),
        hub.merge_values(p_path || '.' || key, o.value, n.value, p_session) as m;
    conflicts := jsonb_path_query_array(conflicts, 'strict $[*][*]');
  elsif jsonb_typeof(p_older) = 'array' and jsonb_typeof(p_newer) = 'array' then
    select coalesce(jsonb_agg(m.merged order by o.place, n.place), '[]'),
        coalesce(jsonb_agg(m.conflicts order by o.place) filter (where m.conflicts <> '[]'), '[]')
      into merged, conflicts
      from hub.items(p_older) as o full join hub.items(p_newer) as n using (same, nth),
        hub.merge_values(p_path || coalesce(o.step, n.step), o.item, n.item, p_session) as m;
    conflicts := jsonb_path_query_array(conflicts, 'strict $[*][*]');
  elsif hub.is_empty(p_newer) and not hub.is_empty(p_older) then
    merged := p_older;
  else
    merged := p_newer;
    if not hub.is_empty(p_older) then
      conflicts := jsonb_build_array(jsonb_build_object('path', p_path, 'value', p_older, 'session_id', p_session));
    end if;
  end if;
end
$$;

-- A document's list of conflicts; an empty list if a frontend stored something else there.
create or replace function hub.conflict_list(p_kept jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case
    when p_kept is null or hub.is_empty(p_kept) then '[]'
    when jsonb_typeof(p_kept) = 'array' then p_kept
    else jsonb_build_array(p_kept) end
$$;

-- The documents of two sessions that become one. Takes and returns {data, metadata}, the arguments with session_id. On
-- a conflict the newer value stays, and the older one is added to metadata.merge_conflicts. Its twin is mergeDocuments
-- in src/core.
create or replace function hub.merge_documents(p_older jsonb, p_newer jsonb) returns jsonb
language plpgsql immutable parallel safe as $$
declare
  v_data record;
  v_metadata record;
  v_conflicts jsonb;
begin
  v_data := hub.merge_values('data', p_older -> 'data', p_newer -> 'data', p_older ->> 'session_id');
  v_metadata := hub.merge_values(
    'metadata', (p_older -> 'metadata') - 'merge_conflicts', (p_newer -> 'metadata') - 'merge_conflicts', p_older ->> 'session_id');
  v_conflicts := hub.conflict_list(p_older #> '{metadata,merge_conflicts}')
    || hub.conflict_list(p_newer #> '{metadata,merge_conflicts}') || v_data.conflicts || v_metadata.conflicts;
  return jsonb_build_object('data', v_data.merged, 'metadata', v_metadata.merged || case
    when v_conflicts = '[]' then '{}' else jsonb_build_object('merge_conflicts', v_conflicts) end);
end
$$;

-- The size of a document's text in bytes of compact JSON. Postgres itself writes a space after each comma and colon; these
-- spaces are counted only if the text is within the limit even with them.
create or replace function hub.compact_size(p_text text) returns integer
language plpgsql immutable as $$
begin
  if octet_length(p_text) <= hub.document_bytes() then
    return octet_length(p_text);
  end if;
  return octet_length(p_text)
    - length(regexp_replace(regexp_replace(p_text, '"(?:[^"\\]|\\.)*"', '', 'g'), '[^ ]', '', 'g'));
end
$$;

-- The size of a session's documents.
create or replace function hub.documents_size(s public.sessions) returns integer
language plpgsql immutable as $$
begin
  return hub.compact_size(s.data::text || s.metadata::text);
end
$$;

-- Refuses payload_too_large for documents that have grown past 256 KiB. Documents that a merge made larger may still
-- shrink. Its twin is refuseGrowth.
create or replace function hub.refuse_growth(p_before integer, s public.sessions) returns void
language plpgsql immutable as $$
begin
  if hub.documents_size(s) > greatest(p_before, hub.document_bytes()) then
    perform hub.refuse('payload_too_large');
  end if;
end
$$;

-- Adds a caller's conflicting value to a session's metadata.merge_conflicts, once.
create or replace function hub.note_conflict(p_session uuid, p_path text, p_value jsonb, p_now timestamptz) returns void
language sql volatile as $$
  update public.sessions
    set metadata = metadata || jsonb_build_object('merge_conflicts', hub.conflict_list(metadata -> 'merge_conflicts') || n.note),
        updated_at = greatest(updated_at, p_now)
    from (select jsonb_build_object('path', p_path, 'value', p_value, 'session_id', p_session) as note) n
    where session_id = p_session and not hub.conflict_list(metadata -> 'merge_conflicts') @> jsonb_build_array(n.note)
$$;
