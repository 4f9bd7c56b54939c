-- The desk: who has a conversation, the staff who may take it, and what they write beside it.
--
-- A conversation is a customer's, over all their sessions and channels. The bot has it unless a row here says otherwise. holder of
-- customers is a copy that a trigger keeps, because each message of a customer reads that row anyway.

create domain public.hub_holder as text check (value in ('waiting', 'person'));
create domain public.hub_staff_role as text check (value in ('agent', 'admin'));

alter table public.customers add column holder public.hub_holder;

comment on column public.customers.holder is 'A copy of conversations.holder. Null: the bot has the conversation.';

create table public.users (
  user_id uuid primary key,
  email text not null unique check (email = lower(email)),
  name text not null,
  role public.hub_staff_role not null,
  auth_id text unique,
  disabled boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

comment on table public.users is 'The people of the shop who sign in at the desk.';
comment on column public.users.auth_id is 'Their id at Supabase Auth, set at the first sign-in: an address that changes its holder opens nothing.';

-- token_hash: SHA-256 of the token, hex; the token itself is never stored. last_used_at is exact to a minute.
create table public.staff_tokens (
  token_hash text primary key,
  user_id uuid not null,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  expires_at timestamptz not null
);

create index staff_tokens_user on public.staff_tokens (user_id);
create index staff_tokens_age on public.staff_tokens (expires_at);

comment on table public.staff_tokens is 'The sessions of staff, by the hash of their token.';

create table public.conversations (
  customer_key uuid primary key,
  holder public.hub_holder,
  user_id uuid,
  handoff_id uuid,
  version bigint not null default 1,
  unread integer not null default 0,
  waiting_since timestamptz,
  overdue_at timestamptz,
  snoozed_until timestamptz,
  last_message_at timestamptz not null,
  moved_into uuid,
  updated_at timestamptz not null,
  check ((user_id is not null) = (holder is not distinct from 'person')),
  check ((handoff_id is not null) = (holder is not null)),
  check (holder is not null or waiting_since is null)
) with (fillfactor = 70);

create index conversations_mine on public.conversations (user_id, last_message_at desc, customer_key) where holder = 'person';
create index conversations_unassigned on public.conversations (last_message_at desc, customer_key) where holder = 'waiting';
create index conversations_waiting on public.conversations (waiting_since, customer_key) where waiting_since is not null;
create index conversations_updated on public.conversations (updated_at);
create index conversations_moved on public.conversations (moved_into) where moved_into is not null;

comment on table public.conversations is 'Who has a customer''s conversation. Without a row: the bot.';
comment on column public.conversations.holder is 'waiting: nobody yet, a person is asked for. person: user_id has it. Null: the bot has it.';
comment on column public.conversations.unread is 'Messages of the customer since a person has read or answered.';
comment on column public.conversations.waiting_since is 'Since when the customer waits for a person''s answer; null once they have it.';
comment on column public.conversations.overdue_at is 'When the sweep has found that they wait longer than the limit.';
comment on column public.conversations.moved_into is 'The customer who this one has become.';
comment on column public.conversations.updated_at is 'By the clock of the database.';

-- customer_key, reason and wanted are null once the customer is erased.
create table public.handoffs (
  handoff_id uuid primary key,
  customer_key uuid,
  session_id uuid,
  channel text,
  requested_by text not null check (requested_by in ('bot', 'customer', 'operator')),
  reason text,
  wanted text,
  requested_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid,
  overdue_at timestamptz,
  ended_at timestamptz,
  outcome text check (outcome in ('given_back', 'closed', 'merged', 'erased'))
);

create index handoffs_customer on public.handoffs (customer_key, requested_at) where customer_key is not null;
create index handoffs_age on public.handoffs (requested_at);

comment on table public.handoffs is 'Each time that a person had or was to have a conversation, from the request to the end.';
comment on column public.handoffs.session_id is 'Where it began; null where a person took the conversation of somebody without a session.';
comment on column public.handoffs.wanted is 'Whom the bot has asked for, in its own words.';

create table public.notes (
  note_id uuid primary key,
  customer_key uuid not null,
  user_id uuid not null,
  text text not null,
  mentions uuid[] not null default '{}',
  created_at timestamptz not null
);

create index notes_customer on public.notes (customer_key, note_id);

comment on table public.notes is 'What staff write for each other about a customer. Customers do not see it.';

create table public.canned_replies (
  reply_id uuid primary key,
  shortcut text not null unique,
  title text not null,
  replies jsonb not null,
  language text,
  version integer not null default 1,
  updated_by uuid not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

comment on table public.canned_replies is 'Replies that staff send again and again.';

-- One row per person: where they look, and until when they seem to type.
create table public.presences (
  user_id uuid primary key,
  customer_key uuid not null,
  typing_until timestamptz,
  seen_at timestamptz not null
) with (fillfactor = 50);

create index presences_customer on public.presences (customer_key);

comment on table public.presences is 'Which conversation each of the staff looks at.';

alter table public.users enable row level security;
alter table public.staff_tokens enable row level security;
alter table public.conversations enable row level security;
alter table public.handoffs enable row level security;
alter table public.notes enable row level security;
alter table public.canned_replies enable row level security;
alter table public.presences enable row level security;
