-- One row per session, and the tokens of the devices that hold it.
--
-- Promise "one person, one active session": a partial unique index per identity.
-- A message slides expires_at and nothing that is indexed, so that its update stays on the row's own page;
-- expiry_check_at is when the sweep next looks at the row: never later than needed, often too early.
-- There are no foreign keys between the hub's tables: its functions hold the session's row while they write,
-- and a key check would lock that row once more per message.

-- Closed lists of words are domains rather than checks of a table: Postgres reads those anew for every statement.
create domain public.hub_rating as smallint check (value between 1 and 5);
create domain public.hub_session_status as text check (value in ('active', 'logged_out', 'expired', 'merged'));

create table public.sessions (
  session_id uuid primary key,
  phone text,
  telegram_chat_id text,
  whatsapp_user_id text,
  visitor_id text,
  customer_id text,
  phone_verified boolean not null default true,
  channel text not null,
  channels text[] not null,
  channels_since timestamptz[] not null,
  unreachable text[] not null default '{}',
  addresses jsonb not null default '{}',
  status public.hub_session_status not null default 'active',
  merged_into uuid,
  language text,
  data jsonb not null default '{}',
  metadata jsonb not null default '{}',
  version integer not null default 1,
  message_count integer not null default 0,
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

create unique index sessions_phone_active on public.sessions (phone) where status = 'active';
create unique index sessions_telegram_chat_id_active on public.sessions (telegram_chat_id) where status = 'active';
create unique index sessions_whatsapp_user_id_active on public.sessions (whatsapp_user_id) where status = 'active';
create unique index sessions_visitor_id_active on public.sessions (visitor_id) where status = 'active';
create index sessions_expiry_check on public.sessions (expiry_check_at) where status = 'active';
create index sessions_customer_id on public.sessions (customer_id) where customer_id is not null;
create index sessions_merged_into on public.sessions (merged_into) where merged_into is not null;
create index sessions_ended on public.sessions (ended_at) where status <> 'active';

comment on column public.sessions.phone_verified is 'False while its phone is only claimed: typed at a kiosk, and proven by nobody. Such a session holds no other identity of a person.';
comment on column public.sessions.addresses is 'Where the customer was heard of last, by channel: {channel: {account, address, used_at, via}}; via are the identities it came with.';
comment on table public.sessions is 'One customer''s window of talk, on all channels; slides with each activity.';

-- token_hash: SHA-256 of the device's token, hex. The token itself is never stored. last_used_at is exact to a second
-- at a kiosk and to 15 seconds elsewhere; confirmed_at is when its device proved last who it is, or
-- somebody vouched for it: nobody comes into a person's session otherwise.
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

alter table public.sessions enable row level security;
alter table public.session_tokens enable row level security;
