-- Exports of whole tables for a back office. Each row has the columns that src/features/exports/tables.ts names. Tokens,
-- codes, links, passwords and their hashes are in no table that can be exported.

-- Rows of a table after p_after, in the order of their keys, at most p_limit. The keys begin with the time at which the row
-- was stored, except those of model_usage, which begin with the customer, and those of threads, of which up to p_limit rows are read and those of the time are returned. row is null for
-- the others. Rows are made JSON after the limit: before a sort it would be done for all.
create or replace function hub.exported_rows(
  p_table text, p_after text, p_from timestamptz, p_to timestamptz, p_limit integer) returns table (key text, exported jsonb)
language plpgsql stable as $$
declare
  v_after constant uuid := greatest(
    case when p_table not in ('threads', 'model_usage') then p_after::uuid end, case when p_from is not null then hub.uuid_before(p_from) end,
    '00000000-0000-0000-0000-000000000000');
  v_to constant uuid := case when p_to is null then 'ffffffff-ffff-ffff-ffff-ffffffffffff' else hub.uuid_from(p_to) end;
begin
  case p_table
    when 'customers' then
      return query select k.customer_key::text, hub.customer_json(k) from (
        select * from public.customers where customer_key > v_after and customer_key < v_to order by customer_key limit p_limit) k;
    when 'sessions' then
      return query select s.session_id::text, to_jsonb(s) from (
        select * from public.sessions where session_id > v_after and session_id < v_to order by session_id limit p_limit) s;
    when 'messages' then
      return query select m.message_id::text, to_jsonb(m) from (
        select * from public.messages where message_id > v_after and message_id < v_to order by message_id limit p_limit) m;
    when 'turns' then
      return query select t.turn_id::text, to_jsonb(t) from (
        select * from public.turns where turn_id > v_after and turn_id < v_to order by turn_id limit p_limit) t;
    when 'deliveries' then
      return query select d.delivery_id::text, to_jsonb(d) from (
        select * from public.deliveries where delivery_id > v_after and delivery_id < v_to order by delivery_id limit p_limit) d;
    when 'reservations' then
      return query select r.reservation_id::text, to_jsonb(r) from (
        select * from public.reservations where reservation_id > v_after and reservation_id < v_to order by reservation_id limit p_limit) r;
    when 'orders' then
      -- As text, because a number of JSON would lose decimals on its way through a client.
      return query select o.order_key::text, to_jsonb(o) || jsonb_build_object('amount', o.amount::text) from (
        select * from public.orders where order_key > v_after and order_key < v_to order by order_key limit p_limit) o;
    when 'audit' then
      return query select a.audit_id::text, to_jsonb(a) from (
        select * from public.audit where audit_id > v_after and audit_id < v_to order by audit_id limit p_limit) a;
    when 'model_usage' then
      -- A row is of a day in UTC.
      return query select u.customer_key || '/' || u.day, to_jsonb(u) from (
        select * from public.model_usage
        where (customer_key, day) > (coalesce(split_part(p_after, '/', 1)::uuid, '00000000-0000-0000-0000-000000000000'),
            coalesce(split_part(p_after, '/', 2)::date, '-infinity'))
          and day::timestamp at time zone 'UTC' >= coalesce(p_from, '-infinity')
          and day::timestamp at time zone 'UTC' < coalesce(p_to, 'infinity')
        order by customer_key, day limit p_limit) u;
    when 'threads' then
      return query select t.thread_id, case
          when t.created_at >= coalesce(p_from, '-infinity') and t.created_at < coalesce(p_to, 'infinity') then to_jsonb(t)
            || jsonb_build_object('data', t.data::jsonb, 'metadata', t.metadata::jsonb) end
        from (select * from public.threads where thread_id > coalesce(p_after, '') order by thread_id limit p_limit) t;
  end case;
end
$$;

-- The largest UUID that hub.uuid makes before an instant.
create or replace function hub.uuid_before(p_at timestamptz) returns uuid
language sql immutable parallel safe as $$
  select overlay(hub.uuid_from(p_at - interval '1 millisecond')::text placing '7fff-bfff-ffffffffffff' from 15)::uuid
$$;

-- A page of a table. p: {table, columns, from, to, after, limit}, and for the first page of an export {now, actor, format}, which adds
-- a line to the audit. Returns {rows, after}: the columns of each row with cursor, its key; after is null on the last page.
-- Only the order of the primary key will do: a plan for few rows would read and sort the whole table for each page.
create or replace function public.hub_export_table(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_columns constant text[] := array(select jsonb_array_elements_text(p -> 'columns'));
  v_limit constant integer := (p ->> 'limit')::int;
  v_rows jsonb;
  v_last text;
  v_count integer;
begin
  if p ? 'actor' then
    perform hub.add_audit(
      p ->> 'actor', 'export.table', 'table:' || (p ->> 'table'), jsonb_strip_nulls(jsonb_build_object(
        'format', p -> 'format', 'from', p -> 'from', 'to', p -> 'to', 'continued', p ->> 'after' is not null)),
      (p ->> 'now')::timestamptz);
  end if;
  select count(*), max(key collate "C"), coalesce(jsonb_agg((
      select jsonb_object_agg(c, exported -> c) from unnest(v_columns) as c) || jsonb_build_object('cursor', key)
      order by key collate "C") filter (where exported is not null), '[]')
    into v_count, v_last, v_rows
    from hub.exported_rows(
      p ->> 'table', p ->> 'after', (p ->> 'from')::timestamptz, (p ->> 'to')::timestamptz, v_limit);
  return jsonb_build_object('rows', v_rows, 'after', case when v_count = v_limit then v_last end);
end
$$;
