-- Messages that the shop sends first, each to one customer over one of their channels, and what customers do not want to get.

create domain public.hub_dispatch_state as text check (value in ('waiting', 'placed', 'failed'));
create domain public.hub_purpose as text check (value in ('service', 'marketing'));

-- waiting: a sweep looks for a channel at due_at. placed: message_id is in the outbox of channel, or was sent. failed: no channel is left.
create table public.dispatches (
  dispatch_id uuid primary key,
  actor text not null,
  idempotency_key text,
  body_hash text,
  customer_key uuid,
  purpose public.hub_purpose not null,
  channels text[],
  renderings jsonb,
  tried jsonb not null default '[]',
  state public.hub_dispatch_state not null,
  due_at timestamptz not null,
  expires_at timestamptz,
  channel text,
  session_id uuid,
  message_id uuid,
  code text,
  reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 70);

create unique index dispatches_idempotency on public.dispatches (actor, idempotency_key) where idempotency_key is not null;
create index dispatches_due on public.dispatches (due_at) where state = 'waiting';
create index dispatches_message on public.dispatches (message_id) where message_id is not null;
create index dispatches_customer on public.dispatches (customer_key) where customer_key is not null;
create index dispatches_created on public.dispatches (created_at);

comment on table public.dispatches is 'Messages that the shop sends first, until a channel has shown them or none is left.';
comment on column public.dispatches.channels is 'The channels that may be used. Null: any.';
comment on column public.dispatches.renderings is 'What each channel would send: {channel: {kind, text, content, parts, outside, account, address}}.';
comment on column public.dispatches.tried is 'The channels that have failed for good: [{channel, code, reason}].';

-- channel and purpose are '' for every channel and every purpose.
create table public.opt_outs (
  customer_key uuid not null,
  channel text not null,
  purpose text not null check (purpose in ('', 'service', 'marketing')),
  source text not null check (source in ('customer', 'api')),
  created_at timestamptz not null,
  primary key (customer_key, channel, purpose)
);

comment on table public.opt_outs is 'What customers do not want to be sent first. Answers to their own messages are not meant.';

-- Whether the platform may have taken the part although an attempt failed: it timed out, or its worker died. Such a part is tried again on
-- its own channel, and never goes out on another one.
alter table public.deliveries add column unsure boolean;

alter table public.dispatches enable row level security;
alter table public.opt_outs enable row level security;
