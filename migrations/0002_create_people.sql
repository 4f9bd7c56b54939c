-- People, what identifies them, their sessions, and the devices that hold a session.
--
-- A customer is a person; a session is one window of their talk, and at most one is active per customer: a partial
-- unique index keeps that promise. Identities belong to the customer and outlive its sessions.
-- A message slides expires_at and last_seen_at and no indexed column, so that its updates stay on the rows' own pages. The
-- sweep looks at a session at expiry_check_at, which is never later than its expiry and often earlier. In the same way
-- retention looks at an identity at unseen_check_at. A summary of last_seen_at per range of pages (BRIN) would not do: it
-- keeps the oldest value that a range ever had, and has none of new pages, so that each sweep would read these rows.
-- There are no foreign keys between the hub's tables: the functions hold the session's row while they write, and a
-- key check would lock that row once more per message.

-- Closed lists of words are domains: Postgres reads a table's checks anew for every statement.
create domain public.hub_rating as smallint check (value between 1 and 5);
create domain public.hub_session_status as text check (value in ('active', 'logged_out', 'expired', 'merged'));
create domain public.hub_identity_kind as text check (
  value ~ '^([a-z][a-z0-9_]*_id|phone|email)$' and value not in ('session_id', 'customer_id', 'message_id'));

-- What a call brings beside its own arguments: settings of the hub, and the time.
create type hub.context as (
  now timestamptz,
  ttl interval,
  lease interval,
  patience interval,
  history integer,
  batch boolean,
  pace jsonb,
  language text,
  kiosk_idle interval,
  notices jsonb,
  place integer
);

create table public.customers (
  customer_key uuid primary key,
  customer_id text,
  unreachable text[] not null default '{}',
  reachability_at jsonb not null default '{}',
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 90);

create unique index customers_customer_id on public.customers (customer_id) where customer_id is not null;

comment on table public.customers is 'People. customer_id is the frontends'' own name for one.';
comment on column public.customers.unreachable is 'Channels on which the customer has blocked us.';
comment on column public.customers.reachability_at is 'When the newest news about that happened, by channel and the platform''s clock.';

create table public.identities (
  kind public.hub_identity_kind not null,
  value text not null,
  customer_key uuid not null,
  verified_at timestamptz,
  channel text,
  account text,
  address jsonb,
  address_used_at timestamptz,
  last_seen_at timestamptz not null,
  unseen_check_at timestamptz not null,
  created_at timestamptz not null,
  primary key (kind, value)
) with (fillfactor = 80);

create unique index identities_customer on public.identities (customer_key, kind);
create index identities_unseen_check on public.identities (unseen_check_at);

comment on table public.identities is 'What says who a person is: phone, email, account at a messenger, browser. One holder at a time.';
comment on column public.identities.verified_at is 'Null while it is only claimed: typed by somebody, and verified by nobody.';
comment on column public.identities.address is 'Where this identity was reached last, on channel and account; null when it is no address.';
comment on column public.identities.last_seen_at is 'Exact to a minute.';
comment on column public.identities.unseen_check_at is 'Retention looks at it when this is too old: never later than last_seen_at, or a day after a look that found an active session.';

create table public.sessions (
  session_id uuid primary key,
  customer_key uuid not null,
  previous_session_id uuid,
  channel text not null,
  channels text[] not null,
  channels_since timestamptz[] not null,
  last_channel text,
  status public.hub_session_status not null default 'active',
  merged_into uuid,
  language text,
  data jsonb not null default '{}',
  metadata jsonb not null default '{}',
  version integer not null default 1,
  message_count integer not null default 0,
  last_seq bigint not null default 0,
  rating public.hub_rating,
  feedback text,
  summary text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_activity timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  expiry_check_at timestamptz not null
) with (fillfactor = 70);

create unique index sessions_customer_active on public.sessions (customer_key) where status = 'active';
create index sessions_customer on public.sessions (customer_key, created_at) where status <> 'active';
create index sessions_expiry_check on public.sessions (expiry_check_at) where status = 'active';
create index sessions_merged_into on public.sessions (merged_into) where merged_into is not null;
create index sessions_ended on public.sessions (ended_at) where status <> 'active';

comment on table public.sessions is 'One customer''s window of talk, on all channels; slides with each activity.';
comment on column public.sessions.last_seq is 'The seq of its newest message.';
comment on column public.sessions.last_channel is 'Where the customer''s last message came from.';

-- token_hash: SHA-256 of the device's token, hex; the token itself is never stored. last_used_at is exact to a second
-- at a kiosk and to 15 seconds elsewhere. confirmed_at is when the device last proved who it is.
create table public.session_tokens (
  token_hash text primary key,
  session_id uuid not null,
  device_id uuid not null default gen_random_uuid(),
  channel text not null,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  confirmed_at timestamptz not null
) with (fillfactor = 80);

create index session_tokens_session on public.session_tokens (session_id);

comment on table public.session_tokens is 'The devices that hold a session, by the hash of their token.';

alter table public.customers enable row level security;
alter table public.identities enable row level security;
alter table public.sessions enable row level security;
alter table public.session_tokens enable row level security;
