-- Endpoints of the shop, the events that they want, and what is still to be posted to them.
--
-- An event is written by a trigger, in the transaction of the change, if an enabled endpoint wants its type. It holds ids, codes
-- and figures, and no text: what an endpoint may see of a message is joined when the event is posted. Events are never changed;
-- an event_delivery lives until its endpoint has taken the event. functions/events_written.sql has the triggers.

create table public.endpoints (
  endpoint_id uuid primary key,
  url text not null,
  description text,
  types text[] not null,
  channels text[],
  content boolean not null default false,
  secret text not null,
  former_secret text,
  former_until timestamptz,
  enabled boolean not null default true,
  disabled_reason text check (disabled_reason in ('operator', 'gone', 'failing')),
  disabled_at timestamptz,
  failing_since timestamptz,
  failures integer not null default 0,
  resting_until timestamptz,
  last_failure jsonb,
  last_success_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 50);

comment on table public.endpoints is 'Where the shop wants to be told what happens here.';
comment on column public.endpoints.channels is 'Only events of these channels, and those of no channel. Null: of all.';
comment on column public.endpoints.content is 'Whether events of messages carry the message as it is when they are posted.';
comment on column public.endpoints.former_secret is 'Signs beside secret until former_until, so that the receiver can change over.';
comment on column public.endpoints.failing_since is 'The first failure after the last success; null while it takes what it is given.';
comment on column public.endpoints.resting_until is 'After many failures in a row it is asked again only then.';

-- at is the start of the transaction that made the change; event_id begins with it. lane is what events are kept in order by: the
-- session, or the customer or booking where there is no session.
create table public.events (
  event_id uuid primary key,
  seq bigint not null generated always as identity,
  type text not null,
  lane uuid not null,
  data jsonb not null,
  at timestamptz not null
);

create index events_lane on public.events (lane);

comment on table public.events is 'What has happened, as far as an endpoint wanted to know. Kept for EVENT_RETENTION_DAYS.';

-- due_at: as in 0004_create_outbox.sql; -infinity for at once.
create domain public.hub_event_delivery_state as text check (value in ('waiting', 'sending', 'dead'));

create table public.event_deliveries (
  lane uuid not null,
  seq bigint not null,
  endpoint_id uuid not null,
  event_id uuid not null,
  state public.hub_event_delivery_state not null default 'waiting',
  attempt integer not null default 0,
  due_at timestamptz not null default '-infinity',
  code text,
  reason text,
  primary key (lane, seq, endpoint_id)
) with (fillfactor = 70);

create index event_deliveries_due on public.event_deliveries (endpoint_id, due_at, seq) where state <> 'dead';
create index event_deliveries_dead on public.event_deliveries (endpoint_id, event_id) where state = 'dead';

comment on table public.event_deliveries is 'Events on their way to an endpoint, and those we stopped trying to give it.';

alter table public.endpoints enable row level security;
alter table public.events enable row level security;
alter table public.event_deliveries enable row level security;
