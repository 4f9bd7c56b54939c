-- Bookings of customers: reservations and orders; the answers to calls with an Idempotency-Key; the addresses of calendar feeds.
--
-- An order outlives its customer as an amount: an erasure and retention empty order_id, customer_key and everything else that
-- could name them, and leave amount, currency, status and instants. So order_id is null for these rows only.

create domain public.hub_reservation_status as text check (value in ('booked', 'cancelled', 'seated'));
create domain public.hub_order_status as text check (value in ('pending', 'paid', 'cancelled'));

create table public.reservations (
  reservation_id uuid primary key,
  customer_key uuid,
  session_id uuid,
  name text not null,
  email text,
  phone text,
  datetime timestamptz not null,
  timezone text not null,
  guests smallint not null check (guests between 1 and 1000),
  notes text,
  google_calendar_event_id text,
  status public.hub_reservation_status not null default 'booked',
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create index reservations_customer on public.reservations (customer_key, datetime) where customer_key is not null;
create index reservations_datetime on public.reservations (datetime, reservation_id);

comment on table public.reservations is 'Tables that customers have reserved.';
comment on column public.reservations.session_id is 'Where it was made; null without a session.';
comment on column public.reservations.timezone is 'The zone in which datetime was given: a name such as Europe/Berlin, or an offset such as +01:00.';

create table public.orders (
  order_key uuid primary key,
  order_id text collate "C",
  customer_key uuid,
  session_id uuid,
  payment_intent_id text,
  amount numeric not null check (amount >= 0 and amount < 1e15),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  status public.hub_order_status not null default 'pending',
  items jsonb not null default '[]',
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

create unique index orders_order_id on public.orders (order_id) where order_id is not null;
create index orders_customer on public.orders (customer_key, order_key) where customer_key is not null;
create index orders_age on public.orders (created_at) where order_id is not null;

comment on table public.orders is 'Orders. The hub records them, and moves no money.';
comment on column public.orders.order_id is 'The shop''s or the bot''s own id; null once its customer is erased or retention has emptied it.';
comment on column public.orders.amount is 'Exact, with as many decimals as the currency has.';

-- request is the SHA-256 of the call's fields, answer what it returned.
create table public.idempotency_keys (
  scope text not null,
  key text not null,
  request bytea not null,
  subject uuid not null,
  answer jsonb not null,
  created_at timestamptz not null,
  primary key (scope, key)
);

create index idempotency_keys_subject on public.idempotency_keys (subject);
create index idempotency_keys_age on public.idempotency_keys (created_at);

comment on table public.idempotency_keys is 'Answers of calls with an Idempotency-Key, for 24 hours.';
comment on column public.idempotency_keys.scope is 'What was made, and the name of the API key that made it.';
comment on column public.idempotency_keys.subject is 'The reservation or order in the answer: both are erased together.';

-- token_hash: SHA-256 of the token in the feed's URL, hex; the token itself is never stored.
create table public.calendar_feeds (
  feed_id uuid primary key,
  token_hash text not null unique,
  name text not null,
  created_by text not null,
  created_at timestamptz not null
);

comment on table public.calendar_feeds is 'Addresses under which calendar programs read the reservations.';

-- A bot that ends a session mostly says goodbye: a page reads that once more with the token that has ended.
alter table public.ended_tokens add column readable_until timestamptz;

comment on column public.ended_tokens.readable_until is 'Until then it reads the messages of a session that its bot has ended.';

alter table public.reservations enable row level security;
alter table public.orders enable row level security;
alter table public.idempotency_keys enable row level security;
alter table public.calendar_feeds enable row level security;
