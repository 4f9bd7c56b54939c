-- Helpers of every call. README.md beside this file gives the order in which all calls take locks.

-- The context of a call, from its argument. p: {now: ISO 8601, ttl_ms, lease_ms, patience_ms, history, batch, pace:
-- {channel: messages per second}, language, kiosk_idle_ms, notices: {name: text}, languages}. Absent values are null or
-- empty. languages: see languages.sql. place is the number of items before the current one in its webhook. It is 0 unless
-- hub_receive sets it.
create or replace function hub.context_of(p jsonb) returns hub.context
language sql stable as $$
  select row(
    (p ->> 'now')::timestamptz,
    (p ->> 'ttl_ms')::bigint * interval '1 millisecond',
    (p ->> 'lease_ms')::bigint * interval '1 millisecond',
    coalesce((p ->> 'patience_ms')::bigint, 0) * interval '1 millisecond',
    coalesce((p ->> 'history')::int, 0),
    coalesce((p ->> 'batch')::boolean, false),
    p -> 'pace',
    p ->> 'language',
    (p ->> 'kiosk_idle_ms')::bigint * interval '1 millisecond',
    p -> 'notices',
    0,
    p -> 'languages')::hub.context
$$;

-- Refuses a call: its transaction is rolled back. p_code is one of the hub's error codes. p_detail may hold
-- retry_after_ms and other details for the caller. Raises SQLSTATE HB001 with message p_code and p_detail as JSON in
-- the detail.
create or replace function hub.refuse(p_code text, p_detail jsonb default null) returns void
language plpgsql immutable as $$
begin
  raise exception using errcode = 'HB001', message = p_code, detail = coalesce(p_detail::text, '');
end
$$;

-- A UUID version 7 of the given instant. New rows then land at the end of their indexes.
create or replace function hub.uuid(p_now timestamptz) returns uuid
language sql volatile parallel safe as $$
  select (lpad(to_hex((extract(epoch from p_now) * 1000)::bigint), 12, '0') || '7' || substr(gen_random_uuid()::text, 16))::uuid
$$;

-- As hub.uuid, and of one webhook's customers and sessions, which are made at one instant, the first one's is the smallest:
-- p_place is how many of its items are before it.
create or replace function hub.placed_uuid(p_now timestamptz, p_place integer) returns uuid
language sql volatile parallel safe as $$
  select overlay(hub.uuid(p_now)::text placing lpad(to_hex(least(p_place, 4095)), 3, '0') from 16 for 3)::uuid
$$;

-- The smallest UUID that hub.uuid makes at an instant or later.
create or replace function hub.uuid_from(p_at timestamptz) returns uuid
language sql immutable parallel safe as $$
  select encode(substring(int8send(least(greatest(0, extract(epoch from p_at) * 1000), 281474976710655)::bigint) from 3) || '\x70008000000000000000'::bytea, 'hex')::uuid
$$;

-- The seq of a session's next message: the microseconds since 1970 of its arrival, or p_last + 1 if that is higher. Each
-- message of a webhook counts ten more than the one before it, so that they have one order, in whatever sessions they are.
-- p_place is the number of items before it. The caller holds the session's row.
create or replace function hub.next_seq(p_last bigint, p_at timestamptz, p_place integer default 0) returns bigint
language sql stable parallel safe as $$
  select greatest(p_last + 1, (extract(epoch from p_at) * 1000000)::bigint + 10 * p_place)
$$;

-- Milliseconds between two instants, at least 0: clocks may disagree about their order.
create or replace function hub.ms(p_since timestamptz, p_now timestamptz) returns bigint
language sql stable parallel safe as $$
  select greatest(0, (extract(epoch from p_now - p_since) * 1000)::bigint)
$$;

-- The time from which new work is due: a minute before it was created. So a caller can claim it too whose clock is
-- slow, or whose now is older because the call had to wait.
create or replace function hub.at_once(p_now timestamptz) returns timestamptz
language sql stable parallel safe as $$
  select p_now - interval '1 minute'
$$;

-- A list of one element; an empty list for null.
create or replace function hub.list_of(p_one jsonb) returns jsonb
language sql immutable parallel safe as $$
  select case when p_one is null then '[]'::jsonb else jsonb_build_array(p_one) end
$$;

-- Answers when the database is up. Returns {}. It fails, as every call, while the schema hub has another name: then a restore is
-- not finished.
create or replace function public.hub_ping(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  select case when hub.fresh_for() is not null then '{}'::jsonb end
$$;
