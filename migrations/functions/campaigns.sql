-- Campaigns. A campaign is prepared in steps of some thousand recipients, set by set, and then placed at its rate. Its row is locked while
-- one of both is done, so that two workers keep one rate. It comes before the sessions of its recipients.

create or replace function hub.campaign_json(p public.campaigns) returns jsonb
language plpgsql stable as $$
begin
  return to_jsonb(p) - '{actor,idempotency_key,body_hash,renderings,customers,pausing,prepared_after,next_at}'::text[];
end
$$;

-- Makes a campaign. p: {now, actor, name, purpose, channels, segment | customers, renderings, language, rate, quiet, pausing, starts_at,
-- expires_at, idempotency_key, body_hash}. A second call with the key of an actor gets the first one's: {campaign, replayed}. Refuses
-- idempotency_conflict for a key that came with another body.
create or replace function public.hub_create_campaign(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_starts_at constant timestamptz := greatest(v_now, (p ->> 'starts_at')::timestamptz);
  v_key constant text := p ->> 'idempotency_key';
  v_made public.campaigns;
begin
  if v_key is not null then
    perform pg_advisory_xact_lock(hashtextextended('campaign ' || (p ->> 'actor') || ' ' || v_key, 0));
    select * into v_made from public.campaigns where actor = p ->> 'actor' and idempotency_key = v_key;
    if v_made.campaign_id is not null and v_made.body_hash <> p ->> 'body_hash' then
      perform hub.refuse('idempotency_conflict');
    elsif v_made.campaign_id is not null then
      return jsonb_build_object('campaign', hub.campaign_json(v_made), 'replayed', true);
    end if;
  end if;
  insert into public.campaigns (
      campaign_id, name, actor, idempotency_key, body_hash, state, purpose, channels, segment, customers, renderings, language, rate, quiet, pausing, starts_at,
      expires_at, prepared_after, next_at, created_at, updated_at)
    values (
      hub.uuid(v_now), p ->> 'name', p ->> 'actor', v_key, p ->> 'body_hash', 'preparing', p ->> 'purpose', hub.texts_of(p -> 'channels'), nullif(p -> 'segment', 'null'),
      hub.texts_of(p -> 'customers'), p -> 'renderings', p ->> 'language', (p ->> 'rate')::int, nullif(p -> 'quiet', 'null'),
      hub.texts_of(p -> 'pausing'), v_starts_at, (p ->> 'expires_at')::timestamptz, '00000000-0000-0000-0000-000000000000', v_now,
      v_now, v_now)
    returning * into v_made;
  perform hub.add_audit(p ->> 'actor', 'campaign.create', 'campaign:' || v_made.campaign_id, '{}', v_now);
  return jsonb_build_object('campaign', hub.campaign_json(v_made), 'replayed', false);
end
$$;

-- Adds the next recipients, at most p_limit. A customer is added once.
create or replace function hub.prepare_campaign(p public.campaigns, p_limit integer, p_now timestamptz) returns integer
language plpgsql volatile set plan_cache_mode = force_custom_plan as $$
declare
  v_keys uuid[];
begin
  if p.customers is not null then
    v_keys := array(
      select customer_key from public.customers
      where (customer_id = any (p.customers) or customer_key::text = any (p.customers)) and customer_key > p.prepared_after
      order by customer_key limit p_limit);
  else
    v_keys := array(select x from hub.segment(p.segment, p.prepared_after, p_limit) as x);
  end if;
  insert into public.dispatches (
      dispatch_id, actor, campaign_id, customer_key, purpose, channels, state, due_at, expires_at, created_at, updated_at)
    select hub.uuid(p_now), p.actor, p.campaign_id, k, p.purpose, p.channels, 'queued', p.starts_at, p.expires_at, p_now, p_now
      from unnest(v_keys) as k
    on conflict do nothing;
  update public.campaigns
    set prepared_after = coalesce(v_keys[cardinality(v_keys)], prepared_after), updated_at = p_now,
        prepared = cardinality(v_keys) < p_limit,
        state = case when cardinality(v_keys) < p_limit then 'running' else state end,
        next_at = case when cardinality(v_keys) < p_limit then greatest(p_now, starts_at) else p_now end
    where campaign_id = p.campaign_id;
  return cardinality(v_keys);
end
$$;

-- What each channel would send to a recipient: in the customer's language, else in that of their last session, else in the campaign's.
create or replace function hub.campaign_renderings(d public.dispatches) returns jsonb
language plpgsql stable as $$
declare
  v_language constant text := coalesce(
    (select preferred_language from public.customers where customer_key = d.customer_key),
    (select language from public.sessions where customer_key = d.customer_key and status = 'active'),
    (select language from public.sessions where customer_key = d.customer_key and status <> 'active' order by created_at desc limit 1));
begin
  return (
    select coalesce(renderings -> v_language, renderings -> split_part(v_language, '-', 1), renderings -> language)
    from public.campaigns where campaign_id = d.campaign_id);
end
$$;

-- When a customer may be written to: p_now, or the end of the quiet hours that they have now in their time zone, attributes.timezone.
create or replace function hub.after_quiet(p_quiet jsonb, p_customer uuid, p_now timestamptz) returns timestamptz
language plpgsql stable as $$
declare
  v_from constant time := p_quiet ->> 'from';
  v_to constant time := p_quiet ->> 'to';
  v_zone text := (select attributes ->> 'timezone' from public.customers where customer_key = p_customer);
  v_local timestamp;
  v_end timestamp;
begin
  if p_quiet is null then
    return p_now;
  end if;
  begin
    v_local := p_now at time zone v_zone;
  exception when invalid_parameter_value then
    v_local := null;
  end;
  if v_local is null then
    v_zone := p_quiet ->> 'timezone';
    v_local := p_now at time zone v_zone;
  end if;
  if v_from < v_to and not (v_local::time >= v_from and v_local::time < v_to)
    or v_from >= v_to and v_local::time < v_from and v_local::time >= v_to
  then
    return p_now;
  end if;
  v_end := v_local::date + v_to;
  if v_end <= v_local then
    v_end := v_end + interval '1 day';
  end if;
  return v_end at time zone v_zone;
end
$$;

-- Prepares a campaign that is due, or places its next recipients and claims their deliveries. p: {..., limit, horizon_ms, prepare}: at most limit
-- recipients, and those of the next horizon_ms at the campaign's rate; prepare are looked up at a time. A customer whom another call holds is
-- left to the next one, and so is everything while a paced account has messages waiting for their time, so that a campaign waits in its own
-- rows and not in the outbox. Returns {prepared, placed, failed,
-- deliveries, open}; open says that a campaign is due or will be within a minute.
create or replace function public.hub_run_campaigns(p jsonb) returns jsonb
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  c constant hub.context := hub.context_of(p);
  v_horizon constant interval := (p ->> 'horizon_ms')::int * interval '1 millisecond';
  v_count integer;
  v_ids uuid[];
  v_at timestamptz;
  v record;
  v_campaign public.campaigns;
begin
  select * into v_campaign from public.campaigns
    where state in ('preparing', 'running') and next_at <= c.now + v_horizon
    order by next_at limit 1 for update skip locked;
  if v_campaign.campaign_id is null then
    return jsonb_build_object(
      'prepared', 0, 'placed', 0, 'failed', 0, 'deliveries', '[]'::jsonb, 'open', exists (
        select from public.campaigns where state in ('preparing', 'running') and next_at <= c.now + interval '1 minute'));
  elsif v_campaign.state = 'preparing' then
    v_count := hub.prepare_campaign(v_campaign, (p ->> 'prepare')::int, c.now);
    return jsonb_build_object('prepared', v_count, 'placed', 0, 'failed', 0, 'deliveries', '[]'::jsonb, 'open', true);
  elsif exists (
      select from public.paces x
      where greatest(next_at, bulk_at) > c.now + v_horizon and (v_campaign.channels is null or channel = any (v_campaign.channels))
        and exists (select from jsonb_each(v_campaign.renderings) as l where l.value ? x.channel)) then
    return jsonb_build_object('prepared', 0, 'placed', 0, 'failed', 0, 'deliveries', '[]'::jsonb, 'open', true);
  end if;
  v_count := least(
    (p ->> 'limit')::int,
    ceil(extract(epoch from c.now + v_horizon - greatest(v_campaign.next_at, c.now - v_horizon)) * v_campaign.rate)::int);
  v_ids := array(
    select dispatch_id from public.dispatches
    where campaign_id = v_campaign.campaign_id and state = 'queued' and due_at <= c.now order by due_at limit v_count);
  v := hub.place_dispatches(v_ids, 'queued', v_campaign.quiet, c);
  v_at := case when cardinality(v_ids) = 0 then (
    select min(due_at) from public.dispatches where campaign_id = v_campaign.campaign_id and state = 'queued') end;
  update public.campaigns
    set updated_at = c.now,
        state = case when cardinality(v_ids) = 0 and v_at is null then 'done' else state end,
        next_at = greatest(
          v_at, greatest(next_at, c.now - v_horizon) + make_interval(secs => (v.placed + 0.0) / rate),
          case when v.placed = 0 then c.now + v_horizon end)
    where campaign_id = v_campaign.campaign_id;
  return to_jsonb(v) || '{"prepared": 0, "open": true}';
end
$$;

-- Pauses the campaign of a dispatch whose platform refused it for a reason that holds for every later one, and queues the recipient
-- again. Returns whether it did.
create or replace function hub.pause_campaign(p_message uuid, p_reason text, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  v_campaign constant uuid := (
    select x.campaign_id from public.dispatches x join public.campaigns k on k.campaign_id = x.campaign_id
    where x.message_id = p_message and x.state = 'placed' and p_reason = any (k.pausing));
begin
  if v_campaign is null then
    return false;
  end if;
  update public.campaigns set state = 'paused', reason = p_reason, updated_at = p_now
    where campaign_id = v_campaign and state = 'running';
  update public.dispatches
    set state = 'queued', due_at = p_now, channel = null, message_id = null, session_id = null, updated_at = p_now
    where message_id = p_message and state = 'placed';
  return true;
end
$$;

-- Changes a campaign's state. p: {now, actor, campaign_id, action: pause | resume | cancel}. Returns {campaign}. Refuses not_found, and
-- illegal_transition for a campaign that is over.
create or replace function public.hub_steer_campaign(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_action constant text := p ->> 'action';
  v_campaign public.campaigns;
begin
  select * into v_campaign from public.campaigns where campaign_id = (p ->> 'campaign_id')::uuid for update;
  if v_campaign.campaign_id is null then
    perform hub.refuse('not_found');
  elsif v_campaign.state in ('done', 'cancelled') then
    perform hub.refuse('illegal_transition');
  end if;
  update public.campaigns
    set state = case v_action
          when 'cancel' then 'cancelled'
          when 'pause' then 'paused'
          else case when prepared then 'running' else 'preparing' end end,
        reason = null, next_at = greatest(v_now, case when prepared then starts_at end), updated_at = v_now
    where campaign_id = v_campaign.campaign_id
    returning * into v_campaign;
  if v_action = 'cancel' then
    update public.dispatches set state = 'failed', code = 'rejected', reason = 'cancelled', updated_at = v_now
      where campaign_id = v_campaign.campaign_id and state in ('queued', 'waiting');
  end if;
  perform hub.add_audit(p ->> 'actor', 'campaign.' || v_action, 'campaign:' || v_campaign.campaign_id, '{}', v_now);
  return jsonb_build_object('campaign', hub.campaign_json(v_campaign));
end
$$;

-- A campaign with its progress. p: {campaign_id}. Returns {campaign, recipients, queued, sending, sent, delivered, read, replied, failed:
-- {reason: count}}. sent counts those that were delivered and read too; replied, who has written within three days. Refuses not_found.
create or replace function public.hub_campaign(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_id constant uuid := p ->> 'campaign_id';
  v_campaign public.campaigns;
begin
  select * into v_campaign from public.campaigns where campaign_id = v_id;
  if v_campaign.campaign_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('campaign', hub.campaign_json(v_campaign)) || (
    select jsonb_build_object(
      'recipients', count(*),
      'queued', count(*) filter (where d.state = 'queued'),
      'sending', count(*) filter (where d.state = 'waiting' or d.state = 'placed' and m.status = 'pending'),
      'sent', count(*) filter (where m.status in ('sent', 'delivered', 'read', 'played')),
      'delivered', count(*) filter (where m.status in ('delivered', 'read', 'played')),
      'read', count(*) filter (where m.status in ('read', 'played')),
      'replied', count(*) filter (where d.state = 'placed' and m.status <> 'failed' and exists (
        select from public.messages a
        where a.session_id = m.session_id and a.seq > m.seq and a.direction = 'inbound' and a.created_at < m.created_at + interval '3 days')))
    from public.dispatches d left join public.messages m on m.message_id = d.message_id and d.state = 'placed'
    where d.campaign_id = v_id) || jsonb_build_object('failed', (
      select coalesce(jsonb_object_agg(reason, count), '{}') from (
        select coalesce(case when d.state = 'failed' then d.reason else x.reason end, 'failed') as reason, count(*) as count
        from public.dispatches d
          left join public.messages m on m.message_id = d.message_id and d.state = 'placed'
          left join lateral (
            select reason from public.deliveries where message_id = m.message_id and status = 'failed' order by seq limit 1) x on true
        where d.campaign_id = v_id and (d.state = 'failed' or m.status = 'failed')
        group by 1) f));
end
$$;

-- The campaigns, newest first. p: {limit, after}; after is the campaign_id of the last one. Returns {campaigns, after}.
create or replace function public.hub_campaigns(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_found jsonb;
begin
  select coalesce(jsonb_agg(hub.campaign_json(k) order by k.campaign_id desc), '[]') into v_found
    from (
      select * from public.campaigns
      where campaign_id < coalesce((p ->> 'after')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
      order by campaign_id desc limit v_limit + 1) k;
  return jsonb_build_object(
    'campaigns', case when jsonb_array_length(v_found) > v_limit then v_found - v_limit else v_found end,
    'after', case when jsonb_array_length(v_found) > v_limit then v_found -> (v_limit - 1) ->> 'campaign_id' end);
end
$$;
