-- Endpoints of the shop. Each call takes one jsonb argument and returns jsonb. Secrets leave the database with the events that they
-- sign, and with the call that makes one.

-- An endpoint as an operator sees it, without its secrets: {..., state: enabled | failing | disabled, waiting, dead}. waiting is true
-- when events are still to be posted to it, dead when it has dead letters.
create or replace function hub.endpoint_json(e public.endpoints) returns jsonb
language sql stable as $$
  select to_jsonb(e) - '{secret,former_secret,former_until,enabled,failures,resting_until}'::text[] || jsonb_build_object(
    'state', case when not e.enabled then 'disabled' when e.failing_since is not null then 'failing' else 'enabled' end,
    'former_secret_until', case when e.former_secret is not null then e.former_until end,
    'waiting', exists (
      select from public.event_deliveries
      where endpoint_id = e.endpoint_id and state <> 'dead' and due_at >= '-infinity'),
    'dead', exists (select from public.event_deliveries where endpoint_id = e.endpoint_id and state = 'dead'))
$$;

-- An endpoint, with its row locked. Whoever changes several deliveries of an endpoint, or the endpoint, holds its row. Refuses
-- not_found.
create or replace function hub.hold_endpoint(p_endpoint uuid) returns public.endpoints
language plpgsql volatile as $$
declare
  e public.endpoints;
begin
  select * into e from public.endpoints where endpoint_id = p_endpoint for update;
  if e.endpoint_id is null then
    perform hub.refuse('not_found');
  end if;
  return e;
end
$$;

-- Adds an endpoint. p: {now, actor, url, description, types, channels, content, secret}. Returns {endpoint}. Refuses
-- endpoint_limit when there are hub.most_endpoints().
create or replace function public.hub_create_endpoint(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  e public.endpoints;
begin
  perform pg_advisory_xact_lock(hashtextextended('endpoints', 0));
  if (select count(*) from public.endpoints) >= hub.most_endpoints() then
    perform hub.refuse('endpoint_limit');
  end if;
  insert into public.endpoints (endpoint_id, url, description, types, channels, content, secret, created_at, updated_at)
    values (
      hub.uuid(v_now), p ->> 'url', p ->> 'description', hub.texts_of(p -> 'types'), hub.texts_of(p -> 'channels'),
      coalesce((p ->> 'content')::boolean, false), p ->> 'secret', v_now, v_now)
    returning * into e;
  perform hub.add_audit(p ->> 'actor', 'endpoint.create', 'endpoint:' || e.endpoint_id, '{}', v_now);
  return jsonb_build_object('endpoint', hub.endpoint_json(e));
end
$$;

-- The texts of a JSON list; null for null.
create or replace function hub.texts_of(p_list jsonb) returns text[]
language sql immutable parallel safe as $$
  select case when jsonb_typeof(p_list) = 'array' then array(select jsonb_array_elements_text(p_list)) end
$$;

-- All endpoints, oldest first, or the one with this endpoint_id. p: {endpoint_id}. Returns {endpoints}.
create or replace function public.hub_endpoints(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('endpoints', coalesce(jsonb_agg(hub.endpoint_json(e) order by e.endpoint_id), '[]'))
  from public.endpoints e
  where not p ? 'endpoint_id' or e.endpoint_id = (p ->> 'endpoint_id')::uuid
$$;

-- Changes an endpoint; a key that is absent from changes is unchanged. enabled true makes what waited for it due at once, and forgets
-- its failures. p: {now, actor, endpoint_id, if_version, changes: {url, description, types, channels, content, enabled}}. Returns
-- {endpoint}. Refuses not_found and version_conflict.
create or replace function public.hub_update_endpoint(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  f constant jsonb := p -> 'changes';
  e public.endpoints := hub.hold_endpoint((p ->> 'endpoint_id')::uuid);
begin
  if (p ->> 'if_version')::bigint <> e.version then
    perform hub.refuse('version_conflict');
  end if;
  update public.endpoints
    set url = coalesce(f ->> 'url', url),
        description = case when f ? 'description' then f ->> 'description' else description end,
        types = coalesce(hub.texts_of(f -> 'types'), types),
        channels = case when f ? 'channels' then hub.texts_of(f -> 'channels') else channels end,
        content = coalesce((f ->> 'content')::boolean, content),
        version = version + 1, updated_at = v_now
    where endpoint_id = e.endpoint_id
    returning * into e;
  if (f ->> 'enabled')::boolean then
    update public.endpoints
      set enabled = true, disabled_reason = null, disabled_at = null, failing_since = null, failures = 0, resting_until = null
      where endpoint_id = e.endpoint_id
      returning * into e;
    update public.event_deliveries set due_at = '-infinity'
      where endpoint_id = e.endpoint_id and state = 'waiting' and due_at > '-infinity';
  elsif not (f ->> 'enabled')::boolean and e.enabled then
    e := hub.disable_endpoint(e.endpoint_id, 'operator', v_now);
  end if;
  perform hub.add_audit(
    p ->> 'actor', 'endpoint.update', 'endpoint:' || e.endpoint_id,
    jsonb_build_object('fields', (select jsonb_agg(key order by key) from jsonb_object_keys(f) as key)), v_now);
  return jsonb_build_object('endpoint', hub.endpoint_json(e));
end
$$;

-- Disables an endpoint: nothing more is written for it, and what waits for it stays until it is enabled or too old. The caller holds
-- its row.
create or replace function hub.disable_endpoint(p_endpoint uuid, p_reason text, p_now timestamptz) returns public.endpoints
language plpgsql volatile as $$
declare
  e public.endpoints;
begin
  update public.endpoints
    set enabled = false, disabled_reason = p_reason, disabled_at = p_now, updated_at = p_now, version = version + 1
    where endpoint_id = p_endpoint
    returning * into e;
  return e;
end
$$;

-- Deletes an endpoint with everything that waits for it. p: {now, actor, endpoint_id}. Returns {deleted}.
create or replace function public.hub_delete_endpoint(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_id constant uuid := p ->> 'endpoint_id';
begin
  delete from public.endpoints where endpoint_id = v_id;
  if not found then
    return '{"deleted": false}';
  end if;
  delete from public.event_deliveries where endpoint_id = v_id;
  perform hub.add_audit(p ->> 'actor', 'endpoint.delete', 'endpoint:' || v_id, '{}', (p ->> 'now')::timestamptz);
  return '{"deleted": true}';
end
$$;

-- Gives an endpoint a new secret. The one before signs beside it until former_until; one before that ends now. p: {now, actor,
-- endpoint_id, secret, former_until}. Returns {endpoint}. Refuses not_found.
create or replace function public.hub_rotate_secret(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  e public.endpoints := hub.hold_endpoint((p ->> 'endpoint_id')::uuid);
begin
  update public.endpoints
    set former_secret = case when (p ->> 'former_until')::timestamptz > v_now then secret end,
        former_until = (p ->> 'former_until')::timestamptz, secret = p ->> 'secret', version = version + 1, updated_at = v_now
    where endpoint_id = e.endpoint_id
    returning * into e;
  perform hub.add_audit(p ->> 'actor', 'endpoint.secret', 'endpoint:' || e.endpoint_id, '{}', v_now);
  return jsonb_build_object('endpoint', hub.endpoint_json(e));
end
$$;

-- Makes events of [from, to) due once more for an endpoint, in the order in which they happened; with dead, only its dead letters.
-- Events that still wait stay as they are. p: {now, actor, endpoint_id, from, to, dead, after, limit}; after is the event_id up to
-- which an earlier call came. Returns {events: how many, after: null when these were all}. Refuses not_found.
create or replace function public.hub_replay_events(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  e constant public.endpoints := hub.hold_endpoint((p ->> 'endpoint_id')::uuid);
  v_from constant uuid := coalesce((p ->> 'after')::uuid, hub.uuid_from((p ->> 'from')::timestamptz));
  v_limit constant integer := (p ->> 'limit')::int;
  v_ids uuid[];
  v_count integer;
begin
  if (p ->> 'dead')::boolean then
    v_ids := array(
      select event_id from public.event_deliveries
      where endpoint_id = e.endpoint_id and state = 'dead' and event_id > v_from
        and event_id < hub.uuid_from((p ->> 'to')::timestamptz)
      order by event_id limit v_limit + 1);
  else
    v_ids := array(
      select event_id from public.events v
      where event_id > v_from and event_id < hub.uuid_from((p ->> 'to')::timestamptz)
        and v.type = any (e.types) and (e.channels is null or not v.data ? 'channel' or v.data ->> 'channel' = any (e.channels))
      order by event_id limit v_limit + 1);
  end if;
  insert into public.event_deliveries as d (lane, seq, endpoint_id, event_id)
    select lane, seq, e.endpoint_id, event_id from public.events where event_id = any (v_ids[1:v_limit]) order by lane, seq
    on conflict (lane, seq, endpoint_id) do update
      set state = 'waiting', attempt = 0, due_at = '-infinity', code = null, reason = null
      where d.state = 'dead';
  get diagnostics v_count = row_count;
  if not p ? 'after' then
    perform hub.add_audit(
      p ->> 'actor', 'endpoint.replay', 'endpoint:' || e.endpoint_id, jsonb_build_object('from', p -> 'from', 'to', p -> 'to'),
      (p ->> 'now')::timestamptz);
  end if;
  return jsonb_build_object(
    'events', v_count, 'after', case when array_length(v_ids, 1) > v_limit then v_ids[v_limit] end);
end
$$;

-- An endpoint's dead letters, oldest first. p: {endpoint_id, after, limit}. Returns {dead_letters: [{event_id, type, at, attempt, code,
-- reason}]}. Refuses not_found.
create or replace function public.hub_dead_events(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' set enable_seqscan = off as $$
declare
  v_id constant uuid := p ->> 'endpoint_id';
begin
  if not exists (select from public.endpoints where endpoint_id = v_id) then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('dead_letters', (
    select coalesce(jsonb_agg(to_jsonb(l) order by l.event_id), '[]')
    from (
      select d.event_id, v.type, v.at, d.attempt, d.code, d.reason
      from public.event_deliveries d join public.events v on v.event_id = d.event_id
      where d.endpoint_id = v_id and d.state = 'dead'
        and d.event_id > coalesce((p ->> 'after')::uuid, '00000000-0000-0000-0000-000000000000')
      order by d.event_id limit (p ->> 'limit')::int) l));
end
$$;
