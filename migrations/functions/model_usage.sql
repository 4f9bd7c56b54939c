-- What the language model uses. Each call takes one jsonb argument and returns jsonb.

-- Sets tokens and money aside before a call to the model, gives back what was set aside before, and adds what was used.
-- p: {now, turn_id, turns: 1 at the start of an attempt else 0, hold: {tokens, cost}, release: {tokens, cost}, used: {input_tokens,
-- output_tokens, cost}, limits: {turns, tokens, cost}}. cost is in millionths of the currency. The customer is the turn's. A limit is for the UTC day of now: turns and tokens
-- of the customer, cost of all customers together. Returns {gone: true} when the turn no longer exists, {limit: its name} when hold or turns would pass a limit: then
-- nothing is set aside, but release and used are counted; else {summary_seq}.
create or replace function public.hub_spend_tokens(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_day constant date := (p ->> 'now')::timestamptz at time zone 'UTC';
  v_turns constant integer := (p ->> 'turns')::int;
  v_hold constant bigint := p #>> '{hold,tokens}';
  v_cost constant numeric := p #>> '{hold,cost}';
  v_limit text;
  v_of record;
  u public.model_usage;
  d public.model_days;
begin
  select s.customer_key, s.summary_seq into v_of
    from public.turns t join public.sessions s on s.session_id = t.session_id
    where t.turn_id = (p ->> 'turn_id')::uuid;
  if v_of.customer_key is null then
    return '{"gone": true}';
  end if;
  insert into public.model_usage (customer_key, day) values (v_of.customer_key, v_day) on conflict do nothing;
  insert into public.model_days (day) values (v_day) on conflict do nothing;
  update public.model_usage
    set input_tokens = input_tokens + (p #>> '{used,input_tokens}')::bigint,
        output_tokens = output_tokens + (p #>> '{used,output_tokens}')::bigint,
        held_tokens = greatest(0, held_tokens - (p #>> '{release,tokens}')::bigint)
    where customer_key = v_of.customer_key and day = v_day
    returning * into u;
  update public.model_days
    set input_tokens = input_tokens + (p #>> '{used,input_tokens}')::bigint,
        output_tokens = output_tokens + (p #>> '{used,output_tokens}')::bigint,
        cost = cost + (p #>> '{used,cost}')::numeric,
        held_cost = greatest(0, held_cost - (p #>> '{release,cost}')::numeric)
    where day = v_day
    returning * into d;
  v_limit := case
    when u.turns + v_turns > (p #>> '{limits,turns}')::int then 'turns'
    when u.input_tokens + u.output_tokens + u.held_tokens + v_hold > (p #>> '{limits,tokens}')::bigint then 'tokens'
    when d.cost + d.held_cost + v_cost > (p #>> '{limits,cost}')::numeric then 'cost' end;
  if v_limit is not null and (v_hold > 0 or v_turns > 0) then
    return jsonb_build_object('limit', v_limit);
  elsif v_hold > 0 or v_turns > 0 then
    update public.model_usage set turns = turns + v_turns, held_tokens = held_tokens + v_hold
      where customer_key = v_of.customer_key and day = v_day;
    update public.model_days set turns = turns + v_turns, held_cost = held_cost + v_cost where day = v_day;
  end if;
  return jsonb_build_object('summary_seq', v_of.summary_seq);
end
$$;

-- Adds the usage of customers who become one.
create or replace function hub.move_model_usage(p_into uuid, p_others uuid[]) returns void
language plpgsql volatile as $$
begin
  with gone as (
    delete from public.model_usage where customer_key = any (p_others) returning *
  )
  insert into public.model_usage as u (customer_key, day, turns, input_tokens, output_tokens, held_tokens)
    select p_into, day, sum(turns), sum(input_tokens), sum(output_tokens), sum(held_tokens) from gone group by day order by day
    on conflict (customer_key, day) do update
      set turns = u.turns + excluded.turns, input_tokens = u.input_tokens + excluded.input_tokens,
          output_tokens = u.output_tokens + excluded.output_tokens, held_tokens = u.held_tokens + excluded.held_tokens;
end
$$;

-- What a customer has used, by day: [{day, turns, input_tokens, output_tokens}].
create or replace function hub.model_usage_json(p_customer uuid) returns jsonb
language sql stable as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'day', day, 'turns', turns, 'input_tokens', input_tokens, 'output_tokens', output_tokens) order by day), '[]')
  from public.model_usage where customer_key = p_customer
$$;

-- Deletes the usage of customers on days that are older than 90 days.
create or replace function hub.purge_model_usage(p_now timestamptz, p_limit integer) returns void
language plpgsql volatile as $$
begin
  delete from public.model_usage where (customer_key, day) in (
    select customer_key, day from public.model_usage
    where day < (p_now at time zone 'UTC')::date - 90 order by day limit p_limit for update skip locked);
end
$$;

-- Sums of all days, for the metrics: {turns, input_tokens, output_tokens, cost}.
create or replace function hub.model_totals() returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'turns', coalesce(sum(turns), 0), 'input_tokens', coalesce(sum(input_tokens), 0),
    'output_tokens', coalesce(sum(output_tokens), 0), 'cost', coalesce(sum(cost), 0))
  from public.model_days
$$;
