-- Calendar feeds: addresses under which a calendar program, which can send no headers, reads the reservations.

-- Adds a feed. p: {now, actor, name, token_hash}. Returns {feed: {feed_id, name, created_by, created_at}}.
create or replace function public.hub_add_calendar_feed(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  f public.calendar_feeds;
begin
  insert into public.calendar_feeds (feed_id, token_hash, name, created_by, created_at)
    values (hub.uuid(v_now), p ->> 'token_hash', p ->> 'name', p ->> 'actor', v_now)
    returning * into f;
  perform hub.add_audit(p ->> 'actor', 'calendar_feed.create', 'calendar_feed:' || f.feed_id, '{}', v_now);
  return jsonb_build_object('feed', to_jsonb(f) - 'token_hash');
end
$$;

-- All feeds, oldest first. Returns {feeds}.
create or replace function public.hub_calendar_feeds(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('feeds', coalesce(jsonb_agg(to_jsonb(f) - 'token_hash' order by f.feed_id), '[]')) from public.calendar_feeds f
$$;

-- Ends a feed: its address opens nothing any more. p: {now, actor, feed_id}. Returns {deleted}.
create or replace function public.hub_delete_calendar_feed(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from public.calendar_feeds where feed_id = (p ->> 'feed_id')::uuid;
  if not found then
    return '{"deleted": false}';
  end if;
  perform hub.add_audit(p ->> 'actor', 'calendar_feed.delete', 'calendar_feed:' || (p ->> 'feed_id'), '{}', (p ->> 'now')::timestamptz);
  return '{"deleted": true}';
end
$$;

-- The reservations of a calendar, earliest first. p: {token_hash, from, to, limit}; without a token_hash the caller holds a key. Returns
-- {reservations}. Refuses unauthorized for a token of no feed.
create or replace function public.hub_calendar(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  if p ? 'token_hash' and not exists (select from public.calendar_feeds where token_hash = p ->> 'token_hash') then
    perform hub.refuse('unauthorized');
  end if;
  return jsonb_build_object('reservations', coalesce((
    select jsonb_agg(hub.reservation_json(r) order by r.datetime, r.reservation_id)
    from (
      select * from public.reservations
      where datetime >= (p ->> 'from')::timestamptz and datetime < (p ->> 'to')::timestamptz
      order by datetime, reservation_id limit (p ->> 'limit')::int
    ) as r), '[]'));
end
$$;
