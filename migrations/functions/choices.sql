-- Answers to choices: a tap, or a typed number, names one of the choices of an earlier reply.

-- The choices of a reply in order, each as the bot gave it: {id, title, description}.
create or replace function hub.choices_of(p_kind text, p_content jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case p_kind
    when 'buttons' then jsonb_path_query_array(p_content, '$.buttons[*] ? (exists (@.id))')
    when 'list' then jsonb_path_query_array(p_content, '$.sections[*].rows[*]')
    when 'carousel' then jsonb_path_query_array(p_content, '$.cards[*].buttons[*] ? (exists (@.id))')
    else '[]' end
$$;

-- The reply whose choices a message answers: the one it quotes, else, for a typed number, the newest reply with numbers among
-- the replies to the customer's message that was answered last on the channel. A number answers only numbered choices.
create or replace function hub.reply_with_choices(p_item jsonb, p_session uuid) returns public.messages
language plpgsql stable as $$
declare
  v_typed constant boolean := (p_item #>> '{choice,typed}')::boolean;
  v_target text;
  m public.messages;
begin
  if p_item ->> 'reply_to' is not null then
    v_target := hub.reply_target(p_item, p_session);
    if v_target ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
      select * into m from public.messages
        where message_id = v_target::uuid and session_id = p_session and channel = p_item ->> 'channel' and direction = 'outbound'
          and (not v_typed or content ? 'numbered');
    end if;
    return m;
  elsif not v_typed then
    return null;
  end if;
  with newest as (
    select x.* from (select * from public.messages where session_id = p_session order by seq desc limit 50) as x
    where channel = p_item ->> 'channel' and direction = 'outbound' and role = 'assistant')
  select n.* into m from newest n
    where n.content ? 'numbered' and n.reply_to = (select reply_to from newest order by seq desc limit 1)
    order by n.seq desc limit 1;
  return m;
end
$$;

-- A message that may answer a choice, as the answer it is: kind interaction, with the bot's id and title. choice: {id | place,
-- typed}; place counts from 1. A typed number that answers nothing stays a text. A tap whose choices are forgotten stays a tap,
-- and has no id if it came with a place alone. The session's row is held.
create or replace function hub.chosen(p_item jsonb, p_session uuid) returns jsonb
language plpgsql stable as $$
declare
  v_place constant integer := (p_item #>> '{choice,place}')::int;
  v_choice jsonb;
  m public.messages;
begin
  m := hub.reply_with_choices(p_item, p_session);
  select x.choice into v_choice
    from jsonb_array_elements(hub.choices_of(m.kind, m.content)) with ordinality as x (choice, place)
    where case when v_place is null then x.choice ->> 'id' = p_item #>> '{choice,id}' else x.place = v_place end
    limit 1;
  if v_choice is not null then
    return p_item || jsonb_build_object(
      'kind', 'interaction', 'text', v_choice ->> 'title', 'reply_to', m.message_id,
      'content', (p_item -> 'content') || v_choice || jsonb_build_object(
        'interaction', case m.kind when 'list' then 'list' else 'button' end));
  elsif v_place is null or (p_item #>> '{choice,typed}')::boolean then
    return p_item;
  end if;
  return p_item || jsonb_build_object(
    'content', (p_item -> 'content') - 'id', 'text', coalesce(p_item #>> '{content,title}', '[button]'));
end
$$;
