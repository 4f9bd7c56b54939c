-- Templates of the shop's accounts at their platforms. Each call takes one jsonb argument and returns jsonb.

create or replace function hub.template_json(t public.templates) returns jsonb
language sql stable parallel safe as $$
  select to_jsonb(t)
$$;

-- Whether the templates of an account are to be read now, and if so, marks that they are. p: {now, channel, account, every_ms}.
-- Returns {due}: they never were, not for every_ms, or hub_update_template has asked for it.
create or replace function public.hub_begin_template_sync(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
begin
  insert into public.template_syncs (channel, account) values (p ->> 'channel', p ->> 'account') on conflict do nothing;
  update public.template_syncs
    set begun_at = v_now
    where channel = p ->> 'channel' and account = p ->> 'account'
      and (begun_at is null or begun_at <= v_now - (p ->> 'every_ms')::bigint * interval '1 millisecond');
  return jsonb_build_object('due', found);
end
$$;

-- Replaces all templates of an account. p: {now, channel, account, templates: [{template_id, name, language, status, category, named,
-- reason, components}]}. Returns {}.
create or replace function public.hub_save_templates(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
begin
  -- Locked, so that a reading and an update follow each other.
  perform 1 from public.template_syncs where channel = p ->> 'channel' and account = p ->> 'account' for update;
  delete from public.templates where channel = p ->> 'channel' and account = p ->> 'account';
  insert into public.templates (channel, account, name, language, template_id, status, category, named, reason, components, updated_at)
    select p ->> 'channel', p ->> 'account', t ->> 'name', t ->> 'language', t ->> 'template_id', t ->> 'status', t ->> 'category',
        coalesce((t ->> 'named')::boolean, false), t ->> 'reason', t -> 'components', v_now
      from jsonb_array_elements(p -> 'templates') as t
    on conflict do nothing;
  update public.template_syncs set synced_at = v_now where channel = p ->> 'channel' and account = p ->> 'account';
  return '{}';
end
$$;

-- Applies what the platform says of a template, and asks for a reading of the account's templates. p: {now, channel, account, name,
-- language, status, reason}; without status only the reading is asked for, and DELETED deletes it. Returns {applied}.
create or replace function public.hub_update_template(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_status constant text := p ->> 'status';
begin
  update public.template_syncs set begun_at = null where channel = p ->> 'channel' and account = p ->> 'account';
  if v_status = 'DELETED' then
    delete from public.templates
      where channel = p ->> 'channel' and account = p ->> 'account' and name = p ->> 'name' and language = p ->> 'language';
  else
    update public.templates
      set status = coalesce(v_status, status), reason = case when v_status is null then reason else p ->> 'reason' end,
          updated_at = (p ->> 'now')::timestamptz
      where channel = p ->> 'channel' and account = p ->> 'account' and name = p ->> 'name' and language = p ->> 'language';
  end if;
  return jsonb_build_object('applied', found);
end
$$;

-- A page of templates in the order of channel, account, name and language. p: {channel, name, status, after, limit}; after is the
-- cursor of the page before. Returns {templates, synced_at, after}; refuses malformed for a cursor of another list.
create or replace function public.hub_templates(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_limit constant integer := (p ->> 'limit')::int;
  v_after constant text[] := string_to_array(p ->> 'after', '/');
  v_found jsonb;
  v_last jsonb;
begin
  if v_after is not null and array_length(v_after, 1) is distinct from 4 then
    perform hub.refuse('malformed');
  end if;
  select coalesce(jsonb_agg(hub.template_json(t) order by t.channel collate "C", t.account collate "C", t.name, t.language), '[]')
    into v_found
    from (
      select * from public.templates
      where (p ->> 'channel' is null or channel = p ->> 'channel')
        and (p ->> 'name' is null or name = p ->> 'name')
        and (p ->> 'status' is null or status = p ->> 'status')
        and (v_after is null
          or (channel collate "C", account collate "C", name, language) > (v_after[1], v_after[2], v_after[3], v_after[4]))
      order by channel collate "C", account collate "C", name, language
      limit v_limit + 1
    ) t;
  if jsonb_array_length(v_found) > v_limit then
    v_last := v_found -> (v_limit - 1);
    v_found := v_found - v_limit;
  end if;
  return jsonb_build_object(
    'templates', v_found,
    'synced_at', (select max(synced_at) from public.template_syncs where p ->> 'channel' is null or channel = p ->> 'channel'),
    'after', case when v_last is not null then
      concat_ws('/', v_last ->> 'channel', v_last ->> 'account', v_last ->> 'name', v_last ->> 'language') end);
end
$$;

-- A template in all its languages. p: {channel, account, name}. Returns {templates, synced}; synced is false as long as the account's
-- templates were never read.
create or replace function public.hub_template(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
  return jsonb_build_object(
    'templates', (
      select coalesce(jsonb_agg(hub.template_json(t) order by t.language), '[]') from public.templates t
      where channel = p ->> 'channel' and account = p ->> 'account' and name = p ->> 'name'),
    'synced', exists (
      select from public.template_syncs
      where channel = p ->> 'channel' and account = p ->> 'account' and synced_at is not null));
end
$$;
