-- How turns end. Calls of the hub: one jsonb argument, which holds now, lease_ms, patience_ms, history, batch and pace, and
-- jsonb back. Without enable_seqscan their plans, which a connection keeps, go by index even if they were made while the
-- tables were small.

-- Ends a claimed turn and those answered with it, and returns it; its message_id is that of the newest message. Null when
-- somebody else has the turn. The session's row is held.
create or replace function hub.end_turn(p_turn uuid, p_attempt integer, c hub.context) returns public.turns
language plpgsql volatile as $$
declare
  v_newest uuid;
  t public.turns;
begin
  delete from public.turns
    where turn_id = p_turn and attempt = p_attempt and state not in ('pending', 'dead') and leader is null
    returning * into t;
  if found and c.batch then
    with followers as (
      delete from public.turns where session_id = t.session_id and state = 'running' and leader = t.turn_id returning seq, message_id)
    select message_id into v_newest from followers order by seq desc limit 1;
    t.message_id := coalesce(v_newest, t.message_id);
  end if;
  return t;
end
$$;

-- Adds a reply to a claimed turn: its message, and a delivery of each of its parts. On a channel where the customer has blocked
-- us (p_blocked) they are dead letters at once; when nothing is on its way there (p_free), the first part is returned claimed,
-- as delivery. p_reply: as in hub_complete. The session's row is held, and its last_seq is the caller's part.
create or replace function hub.add_reply(
  t public.turns, p_reply jsonb, p_seq bigint, p_blocked boolean, p_free boolean, c hub.context, out message json, out delivery json)
language plpgsql volatile as $$
declare
  v_parts constant integer := jsonb_array_length(p_reply -> 'parts');
  v_message_id constant uuid := hub.uuid(c.now);
  v_delivery_id uuid;
  v_part jsonb;
  v_first boolean;
begin
  insert into public.messages as m (
      message_id, session_id, seq, channel, account, direction, role, kind, text, content, reply_to, status, created_at)
    values (
      v_message_id, t.session_id, p_seq, t.channel, t.account, 'outbound', 'assistant',
      p_reply ->> 'kind', p_reply ->> 'text', p_reply -> 'content', t.message_id,
      case when v_parts = 0 then 'sent' when p_blocked then 'failed' else 'pending' end, c.now)
    returning hub.message_json(m) into message;
  for i in 0 .. v_parts - 1 loop
    v_part := nullif(p_reply -> 'parts' -> i, 'null');
    v_delivery_id := hub.uuid(c.now);
    v_first := p_free and i = 0;
    insert into public.deliveries (
        delivery_id, message_id, session_id, parts, channel, account, address, content, state, attempt, due_at, status, code, reason,
        created_at)
      values (
        v_delivery_id, v_message_id, t.session_id, v_parts, t.channel, t.account, t.address, v_part,
        case when p_blocked then 'dead' when v_first then 'sending' else 'pending' end,
        case when v_first then 1 else 0 end,
        case when v_first then c.now + c.lease else hub.at_once(c.now) end,
        case when p_blocked then 'failed' else 'pending' end,
        case when p_blocked then 'rejected' end,
        case when p_blocked then 'blocked' end,
        c.now);
    if v_first then
      delivery := json_build_object(
        'delivery_id', v_delivery_id, 'message_id', v_message_id, 'session_id', t.session_id, 'attempt', 1,
        'channel', t.channel, 'account', t.account, 'address', t.address,
        'window_closes_at', hub.window_at(t.channel, t.account, t.address), 'kind', 'text',
        'text', coalesce(v_part ->> 'text', p_reply ->> 'text'), 'content', hub.part_content(v_part, t.session_id, t.channel));
    end if;
  end loop;
  if p_blocked and v_parts > 0 then
    perform hub.count(array_fill('deliveries|' || t.channel || '|dead', array[v_parts]));
  end if;
end
$$;

-- Ends a turn with its replies, in one transaction with their deliveries, and hands over what comes next.
-- p: {..., turn_id, attempt, replies: [{kind, text, content, parts: [null | {text, call, target, ...}]}], actions, handoff}; a null
-- part is the whole reply, which is a text; no parts means that its customer fetches it; actions as in hub.apply_actions, handoff as in
-- hub.hand_over.
-- Returns {stale, messages, changed, deliveries, next, done: the result of hub.apply_actions}; changed: the earlier messages that edits,
-- deletions, reactions and pins among the replies have changed; stale when somebody else has the turn, and then nothing is saved.
create or replace function public.hub_complete(p jsonb) returns json
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  c constant hub.context := hub.context_of(p);
  v_replies constant jsonb := p -> 'replies';
  v_count constant integer := jsonb_array_length(v_replies);
  v_messages json[] := '{}';
  v_changed json[] := '{}';
  v_done jsonb;
  v_delivery json;
  v_ms bigint;
  v_held record;
  v_there record;
  v_added record;
  t public.turns;
begin
  select session_id, last_seq, merged_into, customer_key into v_held
    from public.sessions
    where session_id = (select session_id from public.turns where turn_id = (p ->> 'turn_id')::uuid)
    for update;
  if v_held.merged_into is not null then
    raise exception 'the session was merged meanwhile' using errcode = 'serialization_failure';
  end if;
  t := hub.end_turn((p ->> 'turn_id')::uuid, (p ->> 'attempt')::int, c);
  if t.turn_id is null then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  select
      exists (
        select from public.deliveries
        where session_id = t.session_id and channel = t.channel and state in ('pending', 'sending')) as delivery,
      exists (select from public.turns where session_id = t.session_id and state in ('pending', 'running')) as turn,
      exists (select from public.customers where customer_key = v_held.customer_key and t.channel = any (unreachable)) as block
    into v_there;

  if p ? 'handoff' then
    perform hub.hand_over(t, p -> 'handoff', c);
  end if;
  if p ?| '{actions,handoff}' then
    v_done := hub.apply_actions(t, coalesce(p -> 'actions', '[]'), v_count, c);
    v_held.last_seq := v_done -> 'last_seq';
  end if;
  for i in 0 .. v_count - 1 loop
    v_held.last_seq := hub.next_seq(v_held.last_seq, c.now);
    v_added := hub.add_reply(
      t, v_replies -> i, v_held.last_seq, v_there.block,
      v_delivery is null and not v_there.delivery and not v_there.block and c.pace ->> t.channel is null, c);
    v_messages := v_messages || v_added.message;
    if v_replies -> i ->> 'kind' in ('edit', 'delete', 'reaction', 'pin') then
      v_changed := v_changed || hub.changed_by_reply(t, v_replies -> i, c.now);
    end if;
    v_delivery := coalesce(v_delivery, v_added.delivery);
  end loop;
  if v_count > 0 then
    update public.sessions
      set message_count = message_count + v_count, last_seq = v_held.last_seq, updated_at = greatest(updated_at, c.now)
      where session_id = t.session_id;
  end if;

  v_ms := hub.ms(t.created_at, c.now);
  insert into public.counted (key, ms) values (hub.bucket('answer_ms', t.channel, v_ms), v_ms);
  if v_delivery is null and (v_there.delivery or c.pace ->> t.channel is not null) then
    v_delivery := hub.claim_delivery(t.session_id, t.channel, c);
  end if;
  return json_build_object(
    'stale', false, 'messages', v_messages, 'changed', v_changed,
    'deliveries', case when v_delivery is null then '[]' else json_build_array(v_delivery) end,
    'next', case when v_there.turn then hub.claim_turn(t.session_id, c) end,
    'done', v_done);
end
$$;

-- Gives a turn back to be tried again at retry_at, or ends it as a dead letter without one, and hands over what comes
-- next. p: {..., turn_id, attempt, code, reason, retry_at}. Returns as hub_complete.
create or replace function public.hub_fail(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off as $$
declare
  c constant hub.context := hub.context_of(p);
  s public.sessions;
  t public.turns;
begin
  s := hub.hold_session_of_turn((p ->> 'turn_id')::uuid);
  update public.turns
    set state = case when p ->> 'retry_at' is null then 'dead' else 'pending' end,
        due_at = coalesce((p ->> 'retry_at')::timestamptz, due_at),
        code = p ->> 'code',
        reason = p ->> 'reason',
        failed_at = c.now
    where turn_id = (p ->> 'turn_id')::uuid and attempt = (p ->> 'attempt')::int
      and state not in ('pending', 'dead') and leader is null
    returning * into t;
  if not found then
    return '{"stale": true, "messages": [], "deliveries": []}';
  end if;
  -- Those that were to be answered with it die with it, or wait again.
  update public.turns
    set state = t.state, leader = null,
        due_at = case when t.state = 'pending' then hub.at_once(c.now) else due_at end,
        code = case when t.state = 'dead' then t.code else code end,
        reason = case when t.state = 'dead' then t.reason else reason end,
        failed_at = case when t.state = 'dead' then c.now else failed_at end
    where session_id = t.session_id and state = 'running' and leader = t.turn_id;
  perform hub.count(array['turns|' || t.channel || '|' || case when t.state = 'dead' then 'dead' else 'failed' end]);
  return jsonb_build_object(
    'stale', false, 'messages', '[]'::jsonb, 'deliveries', '[]'::jsonb, 'next', hub.claim_turn(s.session_id, c));
end
$$;
