-- Unfinished work. due_at is when something may be claimed: the next attempt of what waits, or the end of the
-- lease of what somebody holds.
--
-- Most of the time there is next to none of it, and a plan made then thinks that reading all of a partial index costs less
-- than looking up one row in the right one. A connection keeps that plan, and when there is much to do each message would
-- read all that waits. So no query but the one it is for may be able to use an index of open work: what is due says
-- state like '%ing', which Postgres does not conclude from state in (...), and who knows the id of a turn or a delivery
-- says which states it is not in.

create domain public.hub_turn_state as text check (value in ('pending', 'running', 'dead'));
create domain public.hub_delivery_state as text check (value in ('pending', 'sending', 'sent', 'dead'));

-- One row per inbound message that is still to be answered; seq is its message's. Answered turns are deleted,
-- dead letters stay. leader is the turn that a batch answers this one with.
create table public.turns (
  turn_id uuid primary key,
  session_id uuid not null,
  seq bigint not null,
  message_id uuid not null,
  channel text not null,
  account text,
  address jsonb not null,
  state public.hub_turn_state not null,
  attempt integer not null,
  due_at timestamptz not null,
  leader uuid,
  code text,
  reason text,
  created_at timestamptz not null
) with (fillfactor = 80);

create index turns_open on public.turns (session_id, seq) where state in ('pending', 'running');
create index turns_due on public.turns (due_at) where state like '%ing';

create index turns_dead on public.turns (turn_id) where state = 'dead';
create index turns_dead_session on public.turns (session_id) where state = 'dead';

comment on table public.turns is 'Inbound messages still to be answered, and those we stopped trying to answer.';

-- One row per part of a reply that a platform has to be given. content is null when the part is the whole message.
-- status is what the platform told of it, state what is left for us to do.
create table public.deliveries (
  delivery_id uuid primary key,
  seq bigint not null generated always as identity,
  message_id uuid not null,
  session_id uuid not null,
  parts integer not null,
  channel text not null,
  account text,
  address jsonb not null,
  content jsonb,
  state public.hub_delivery_state not null,
  attempt integer not null,
  due_at timestamptz not null,
  status public.hub_message_status not null,
  external_id text,
  code text,
  reason text,
  created_at timestamptz not null
) with (fillfactor = 80);

create index deliveries_open on public.deliveries (session_id, channel, seq) where state in ('pending', 'sending');
create index deliveries_due on public.deliveries (due_at) where state like '%ing';
create index deliveries_dead on public.deliveries (delivery_id) where state = 'dead';
create index deliveries_message on public.deliveries (message_id);
create index deliveries_external_id on public.deliveries (channel, account, external_id) where external_id is not null;

comment on table public.deliveries is 'Replies on their way: the outbox, and what became of it.';

-- When a channel's account may take its next message, for channels that keep an overall pace.
create table public.paces (
  channel text not null,
  account text not null,
  next_at timestamptz not null,
  primary key (channel, account)
) with (fillfactor = 50);

comment on table public.paces is 'The next free slot of channels that take only so many messages a second.';

-- What the hub counts, for /metrics. A call appends to counted and waits for nobody; the sweep folds that into counters.
-- ms is how long it took, total_ms their sum.
create table public.counters (
  key text primary key,
  value bigint not null,
  total_ms bigint not null default 0
) with (fillfactor = 50);

comment on table public.counters is 'Counts since the first migration, but for what is still in counted.';

create table public.counted (
  key text not null,
  ms bigint
);

comment on table public.counted is 'What was counted since the last sweep, a row for each.';

-- Receipts and edits of messages that are not here yet: platforms deliver out of order.
create table public.early_events (
  channel text not null,
  account text not null,
  external_id text not null,
  type text not null check (type in ('receipt', 'edit')),
  event jsonb not null,
  created_at timestamptz not null,
  primary key (channel, account, external_id, type)
);

create index early_events_age on public.early_events (created_at);

comment on table public.early_events is 'What platforms said of messages before they gave us the messages.';

alter table public.turns enable row level security;
alter table public.deliveries enable row level security;
alter table public.early_events enable row level security;
alter table public.paces enable row level security;
alter table public.counters enable row level security;
alter table public.counted enable row level security;
