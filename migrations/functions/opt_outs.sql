-- Opt-outs: what a customer does not want the shop to send first, by channel and purpose. They bind dispatches, and no answers to what the
-- customer says.

-- Whether a customer wants no message of this purpose on this channel.
create or replace function hub.is_opted_out(p_customer uuid, p_channel text, p_purpose text) returns boolean
language plpgsql stable as $$
begin
  return exists (
    select from public.opt_outs
    where customer_key = p_customer and channel in ('', p_channel) and purpose in ('', p_purpose));
end
$$;

-- Adds or removes an opt-out with a line in the audit, and ends what it forbids and was not sent yet. Returns whether something has
-- changed. The caller holds the customer's sessions, or at least the one with these deliveries.
create or replace function hub.set_opt_out(
  p_customer uuid, p_channel text, p_purpose text, p_out boolean, p_source text, p_actor text, p_now timestamptz) returns boolean
language plpgsql volatile as $$
declare
  v_changed boolean;
begin
  if p_out then
    insert into public.opt_outs (customer_key, channel, purpose, source, created_at)
      values (p_customer, p_channel, p_purpose, p_source, p_now) on conflict do nothing;
    v_changed := found;
    perform hub.end_unwanted(p_customer, p_channel, p_purpose);
  else
    delete from public.opt_outs where customer_key = p_customer and channel = p_channel and (p_purpose = '' or purpose = p_purpose);
    v_changed := found;
  end if;
  if v_changed then
    perform hub.add_audit(
      p_actor, case when p_out then 'opt_out.add' else 'opt_out.remove' end, 'customer_key:' || p_customer,
      jsonb_strip_nulls(jsonb_build_object('channel', nullif(p_channel, ''), 'purpose', nullif(p_purpose, ''))), p_now);
  end if;
  return v_changed;
end
$$;

-- Ends the deliveries of dispatches that an opt-out forbids and that are not on their way yet.
create or replace function hub.end_unwanted(p_customer uuid, p_channel text, p_purpose text) returns void
language plpgsql volatile as $$
declare
  r record;
begin
  for r in
    select distinct message_id from public.dispatches
    where customer_key = p_customer and state = 'placed' and (p_channel = '' or channel = p_channel)
      and (p_purpose = '' or purpose = p_purpose)
    order by message_id
  loop
    update public.deliveries set state = 'dead', status = 'failed', code = 'rejected', reason = 'opted_out'
      where message_id = r.message_id and state in ('pending', 'held');
    if found then
      perform hub.refresh_status(r.message_id);
    end if;
  end loop;
end
$$;

-- Does what the word of a customer's message says, STOP or START. Returns the name of the notice that tells so; null when START changes
-- nothing. The session is held.
create or replace function hub.hear_opt(s public.sessions, p_item jsonb, c hub.context) returns text
language plpgsql volatile as $$
declare
  v_out constant boolean := p_item ->> 'opt' = 'out';
  v_changed constant boolean := hub.set_opt_out(s.customer_key, p_item ->> 'channel', '', v_out, 'customer', 'customer', c.now);
begin
  return case when v_out then 'opted_out' when v_changed then 'opted_in' end;
end
$$;

-- The opt-outs of a customer. p: {customer_id | session_id}. Returns {opt_outs: [{channel, purpose, source, created_at}]}; channel and
-- purpose are null for all. Refuses not_found.
create or replace function public.hub_opt_outs(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_customer constant uuid := hub.customer_of(p);
begin
  if not exists (select from public.customers where customer_key = v_customer) then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('opt_outs', hub.opt_outs_json(v_customer));
end
$$;

create or replace function hub.opt_outs_json(p_customer uuid) returns jsonb
language plpgsql stable as $$
begin
  return (
    select coalesce(jsonb_agg(jsonb_build_object(
        'channel', nullif(channel, ''), 'purpose', nullif(purpose, ''), 'source', source, 'created_at', created_at)
      order by channel collate "C", purpose collate "C"), '[]')
    from public.opt_outs where customer_key = p_customer);
end
$$;

-- Sets or removes an opt-out. p: {now, actor, customer_id | session_id, channel, purpose, opted_out}; no channel means all, no purpose all.
-- Returns as hub_opt_outs. Refuses not_found.
create or replace function public.hub_set_opt_out(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_customer constant uuid := hub.customer_of(p);
begin
  perform hub.hold_customer(v_customer);
  if not exists (select from public.customers where customer_key = v_customer) then
    perform hub.refuse('not_found');
  end if;
  perform hub.set_opt_out(
    v_customer, coalesce(p ->> 'channel', ''), coalesce(p ->> 'purpose', ''), (p ->> 'opted_out')::boolean, 'api', p ->> 'actor',
    (p ->> 'now')::timestamptz);
  return jsonb_build_object('opt_outs', hub.opt_outs_json(v_customer));
end
$$;
