-- Numbers and lists that TypeScript has too. test/database/constants.test.ts compares them.

-- The statuses of a sent message, in the order in which they may follow each other. failed is not in the list: see
-- is_forward.
create or replace function hub.status_ladder() returns text[]
language sql immutable parallel safe as $$ select '{pending,sent,delivered,read,played}'::text[] $$;

-- The upper bounds of the buckets of every histogram, in milliseconds. Larger values are counted in "inf".
create or replace function hub.histogram_bounds() returns bigint[]
language sql immutable parallel safe as $$ select '{100,250,500,1000,2500,5000,10000,30000,60000,300000}'::bigint[] $$;

-- The largest size of a session's documents (data and metadata), in bytes of compact JSON.
create or replace function hub.document_bytes() returns integer
language sql immutable parallel safe as $$ select 262144 $$;

-- The largest number of keys in a merge patch, of its objects that hold objects, and its greatest depth.
create or replace function hub.patch_keys() returns integer
language sql immutable parallel safe as $$ select 10000 $$;

create or replace function hub.patch_objects() returns integer
language sql immutable parallel safe as $$ select 500 $$;

create or replace function hub.patch_depth() returns integer
language sql immutable parallel safe as $$ select 32 $$;

-- How long the last proof on a device counts as recent.
create or replace function hub.fresh_for() returns interval
language sql immutable parallel safe as $$ select interval '15 minutes' $$;

-- How long a one-time code lives, how long a link lives, and how many wrong tries end a code.
create or replace function hub.code_lives() returns interval
language sql immutable parallel safe as $$ select interval '5 minutes' $$;

create or replace function hub.link_lives() returns interval
language sql immutable parallel safe as $$ select interval '10 minutes' $$;

create or replace function hub.code_tries() returns integer
language sql immutable parallel safe as $$ select 5 $$;

-- How long the hash of an erased message is kept, and how long a dead letter, in days.
create or replace function hub.erased_days() returns integer
language sql immutable parallel safe as $$ select 30 $$;

create or replace function hub.dead_letter_days() returns integer
language sql immutable parallel safe as $$ select 30 $$;

-- How long before its end a reply window counts as closed: a reply takes a while to its platform.
create or replace function hub.window_margin() returns interval
language sql immutable parallel safe as $$ select interval '60 seconds' $$;

-- How long a message that the shop sent first is remembered with its idempotency key.
create or replace function hub.dispatch_lives() returns interval
language sql immutable parallel safe as $$ select interval '90 days' $$;

-- How long a delivery waits for the customer to write.
create or replace function hub.hold_lasts() returns interval
language sql immutable parallel safe as $$ select interval '7 days' $$;

-- The largest number of sessions that a look-up returns.
create or replace function hub.found_sessions() returns integer
language sql immutable parallel safe as $$ select 20 $$;

-- The limit for a thread's data and metadata together, in bytes of compact JSON.
create or replace function hub.thread_bytes() returns integer
language sql immutable parallel safe as $$ select 1048576 $$;

-- How many days the row of an expired thread is kept, so that reading it answers thread_expired.
create or replace function hub.expired_thread_days() returns integer
language sql immutable parallel safe as $$ select 7 $$;

-- How long after a session's end its rating may be changed, and its ended tokens may rate it.
create or replace function hub.rating_changes_for() returns interval
language sql immutable parallel safe as $$ select interval '24 hours' $$;

-- How long an answer is kept under its Idempotency-Key.
create or replace function hub.idempotency_lives() returns interval
language sql immutable parallel safe as $$ select interval '24 hours' $$;

-- How long the tokens of a session that its bot has ended still read its messages.
create or replace function hub.goodbye_lives() returns interval
language sql immutable parallel safe as $$ select interval '2 minutes' $$;

-- How many endpoints there may be.
create or replace function hub.most_endpoints() returns integer
language sql immutable parallel safe as $$ select 20 $$;

-- After how many failures in a row an endpoint rests.
create or replace function hub.resting_after() returns integer
language sql immutable parallel safe as $$ select 10 $$;

-- How long a person of the staff stays signed in, and how long without a call.
create or replace function hub.staff_lives() returns interval
language sql immutable parallel safe as $$ select interval '12 hours' $$;

create or replace function hub.staff_idle_for() returns interval
language sql immutable parallel safe as $$ select interval '1 hour' $$;

-- All constants of this file, by name. Durations are in milliseconds.
create or replace function hub.constants() returns jsonb
language sql stable as $$
  select jsonb_build_object(
    'status_ladder', hub.status_ladder(),
    'histogram_bounds_ms', hub.histogram_bounds(),
    'document_bytes', hub.document_bytes(),
    'patch_keys', hub.patch_keys(),
    'patch_objects', hub.patch_objects(),
    'patch_depth', hub.patch_depth(),
    'fresh_ms', extract(epoch from hub.fresh_for()) * 1000,
    'code_ms', extract(epoch from hub.code_lives()) * 1000,
    'link_ms', extract(epoch from hub.link_lives()) * 1000,
    'code_tries', hub.code_tries(),
    'erased_days', hub.erased_days(),
    'dead_letter_days', hub.dead_letter_days(),
    'window_margin_ms', extract(epoch from hub.window_margin()) * 1000,
    'dispatch_ms', extract(epoch from hub.dispatch_lives()) * 1000,
    'hold_ms', extract(epoch from hub.hold_lasts()) * 1000,
    'found_sessions', hub.found_sessions(),
    'rating_changes_ms', extract(epoch from hub.rating_changes_for()) * 1000,
    'goodbye_ms', extract(epoch from hub.goodbye_lives()) * 1000,
    'idempotency_ms', extract(epoch from hub.idempotency_lives()) * 1000,
    'staff_ms', extract(epoch from hub.staff_lives()) * 1000,
    'staff_idle_ms', extract(epoch from hub.staff_idle_for()) * 1000,
    'thread_bytes', hub.thread_bytes(),
    'expired_thread_days', hub.expired_thread_days(),
    'most_endpoints', hub.most_endpoints(),
    'resting_after', hub.resting_after(),
    'at_once_ms', extract(epoch from timestamptz 'epoch' - hub.at_once('epoch')) * 1000,
    'identity_ranks', (
      select jsonb_object_agg(k, hub.identity_rank(k))
      from unnest('{telegram_chat_id,whatsapp_user_id,whatsapp_id,other_id,phone,email,visitor_id}'::text[]) as k))
$$;
