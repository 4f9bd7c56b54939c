-- Campaigns: one content for many customers. Each recipient is a dispatch.

create domain public.hub_campaign_state as text check (value in ('preparing', 'running', 'paused', 'cancelled', 'done'));

create table public.campaigns (
  campaign_id uuid primary key,
  name text not null,
  actor text not null,
  state public.hub_campaign_state not null,
  prepared boolean not null default false,
  purpose public.hub_purpose not null,
  channels text[],
  segment jsonb,
  customers text[],
  renderings jsonb not null,
  language text not null,
  rate integer not null,
  quiet jsonb,
  pausing text[] not null,
  starts_at timestamptz not null,
  expires_at timestamptz,
  prepared_after uuid not null,
  next_at timestamptz not null,
  reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 50);

create index campaigns_open on public.campaigns (next_at) where state in ('preparing', 'running');

comment on table public.campaigns is 'One content for many customers; each recipient is a dispatch.';
comment on column public.campaigns.renderings is 'By language tag, then by channel, as in dispatches.';
comment on column public.campaigns.quiet is '{from, to, timezone}: local times of day between which nobody is written to; timezone for customers without one.';
comment on column public.campaigns.pausing is 'Reasons of platforms for which every later message would fail too, such as a paused template.';
comment on column public.campaigns.next_at is 'When the next recipients are due.';
comment on column public.campaigns.reason is 'Why it was paused by itself.';

-- queued: a recipient of a campaign whose turn has not come.
alter domain public.hub_dispatch_state drop constraint hub_dispatch_state_check;
alter domain public.hub_dispatch_state
  add constraint hub_dispatch_state_check check (value in ('queued', 'waiting', 'placed', 'failed')) not valid;
alter table public.dispatches add column campaign_id uuid;
create unique index dispatches_campaign on public.dispatches (campaign_id, customer_key) where campaign_id is not null;
create index dispatches_queued on public.dispatches (campaign_id, due_at) where campaign_id is not null and state = 'queued';

comment on column public.dispatches.campaign_id is 'A customer is a recipient of a campaign once.';

-- A delivery of a campaign. Replies go before it, and what may have been sent is not sent again.
alter table public.deliveries add column bulk boolean;

alter table public.campaigns enable row level security;
