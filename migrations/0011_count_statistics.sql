-- Statistics, and what segments know of a customer's activity. The sweep writes these tables; no transaction of a message does.
--
-- stats and stats_replies hold sums by quarter-hour, channel and language. All offsets of time zones in use are multiples of a
-- quarter-hour, so hours and days of every zone can be added up from them. stats_sessions, stats_parts and
-- customer_activity hold what each session and customer has contributed to the sums. When one changes, its contribution is
-- computed again and the sums change by the difference, so a late reply or a merge corrects the past. What retention or an
-- erasure deletes stays counted. None of these tables holds content or what identifies a person.

create table public.stats (
  bucket_at timestamptz not null,
  channel text not null,
  language text not null,
  sessions integer not null default 0,
  multichannel integer not null default 0,
  new_customers integer not null default 0,
  messages_in integer not null default 0,
  messages_out integer not null default 0,
  unanswered integer not null default 0,
  dead_letters integer not null default 0,
  rated_1 integer not null default 0,
  rated_2 integer not null default 0,
  rated_3 integer not null default 0,
  rated_4 integer not null default 0,
  rated_5 integer not null default 0,
  primary key (bucket_at, channel, language)
) with (fillfactor = 70);

comment on table public.stats is 'Sums by quarter-hour, channel and language. The last two are empty where unknown.';

-- bound: see hub.reply_bound.
create table public.stats_replies (
  bucket_at timestamptz not null,
  channel text not null,
  language text not null,
  bound smallint not null,
  replies integer not null,
  primary key (bucket_at, channel, language, bound)
) with (fillfactor = 70);

comment on table public.stats_replies is 'How many sessions had their first reply within each bound, by the first message''s quarter-hour.';

create table public.stats_sessions (
  session_id uuid primary key,
  bucket_at timestamptz not null,
  channel text not null,
  language text not null,
  multichannel boolean not null,
  rating smallint,
  first_seq bigint,
  first_at timestamptz,
  first_channel text,
  reply_ms bigint
) with (fillfactor = 70);

comment on table public.stats_sessions is 'What each session has contributed to stats and stats_replies.';
comment on column public.stats_sessions.first_seq is 'Of the customer''s first message; null while there is none.';
comment on column public.stats_sessions.reply_ms is 'From the customer''s first message to the first reply; null while there is none.';

create table public.stats_parts (
  session_id uuid not null,
  bucket_at timestamptz not null,
  channel text not null,
  messages_in integer not null,
  messages_out integer not null,
  dead_letters integer not null,
  primary key (session_id, bucket_at, channel)
);

comment on table public.stats_parts is 'What the messages and dead letters of each session have contributed to stats.';

-- bucket_at, first_channel and first_language: the customer in stats. The rest is for segments; last_seen_at is exact to a
-- quarter-hour, so that an active customer's row rarely changes.
create table public.customer_activity (
  customer_key uuid primary key,
  bucket_at timestamptz not null,
  first_channel text not null,
  first_language text not null,
  channels text[] not null,
  language text,
  last_seen_at timestamptz not null
) with (fillfactor = 80);

create index customer_activity_last_seen on public.customer_activity (last_seen_at);
create index customer_activity_channels on public.customer_activity using gin (channels);

comment on table public.customer_activity is 'Of each customer: the channels used, the language last used, and when they were last seen.';

create index customers_tags on public.customers using gin (tags);
create index customers_plan on public.customers (plan, customer_key) where plan <> 'basic';
create index deliveries_dead_session on public.deliveries (session_id) where state = 'dead';

-- What has changed since the last run. The transaction of the change adds the row, so none is missed if it commits late. since:
-- messages of this time or later have changed; null if only the row itself has. joined: the customer was merged into another.
create table public.stats_queue (
  session_id uuid,
  customer_key uuid,
  since timestamptz,
  joined boolean not null default false,
  queued_at timestamptz not null
);

comment on table public.stats_queue is 'Sessions and customers whose contribution to the statistics is to be computed again.';

alter table public.stats enable row level security;
alter table public.stats_replies enable row level security;
alter table public.stats_sessions enable row level security;
alter table public.stats_parts enable row level security;
alter table public.customer_activity enable row level security;
alter table public.stats_queue enable row level security;

-- Everything that is already stored. Creating the triggers first waits for open transactions, so that nothing is missed.
-- functions/stats.sql replaces their functions, and functions/search_index.sql the trigger of messages.
create function hub.queue_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (session_id, queued_at) values (new.session_id, now());
  return null;
end
$$;

create function hub.queue_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.stats_queue (customer_key, queued_at) values (new.customer_key, now());
  return null;
end
$$;

create trigger stats_session_new after insert on public.sessions for each row execute function hub.queue_session();
create trigger stats_customer_new after insert on public.customers for each row execute function hub.queue_customer();

create or replace trigger message_search_new after insert on public.messages
  for each row execute function hub.queue_new_message();

insert into public.stats_queue (customer_key, queued_at) select customer_key, now() from public.customers order by customer_key;
insert into public.stats_queue (session_id, since, queued_at)
  select session_id, '-infinity', now() from public.sessions order by session_id;
