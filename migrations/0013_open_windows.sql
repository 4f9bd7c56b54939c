-- Reply windows: some platforms take free replies only for a time after the customer's last message. Replies that wait for the
-- customer, and the templates that such a platform takes at any time.

-- closes_at is null while nothing is known but that a reply waits. Retention looks at a row at check_at, which is never later
-- than a day after closes_at: messages move closes_at, and no index.
create table public.reply_windows (
  channel text not null,
  account text not null,
  address jsonb not null,
  customer_key uuid not null,
  closes_at timestamptz,
  check_at timestamptz not null,
  primary key (channel, account, address)
) with (fillfactor = 70);

create index reply_windows_customer on public.reply_windows (customer_key);
create index reply_windows_check on public.reply_windows (check_at);

comment on table public.reply_windows is 'Until when a platform takes free replies to an address. A day after its end a row is deleted.';
comment on column public.reply_windows.closes_at is 'Exact to a minute, and never later than the platform''s own time.';

insert into public.reply_windows (channel, account, address, customer_key, closes_at, check_at)
  select distinct on (channel, account, address)
      channel, account, address, customer_key, address_used_at + interval '24 hours', address_used_at + interval '48 hours'
    from public.identities
    where channel = 'whatsapp' and account is not null and address is not null and address_used_at > now() - interval '24 hours'
    order by channel, account, address, address_used_at desc;

-- held: the delivery waits for the customer's next message, or until due_at.
alter domain public.hub_delivery_state drop constraint hub_delivery_state_check;
alter domain public.hub_delivery_state
  add constraint hub_delivery_state_check check (value in ('pending', 'sending', 'held', 'sent', 'dead')) not valid;

create index deliveries_held on public.deliveries (channel, coalesce(account, ''), address) where state = 'held';
create index deliveries_held_until on public.deliveries (due_at) where state = 'held';

create table public.templates (
  channel text not null,
  account text not null,
  name text collate "C" not null,
  language text collate "C" not null,
  template_id text not null,
  status text not null,
  category text not null,
  named boolean not null default false,
  reason text,
  components jsonb not null,
  updated_at timestamptz not null,
  primary key (channel, account, name, language)
);

create table public.template_syncs (
  channel text not null,
  account text not null,
  begun_at timestamptz,
  synced_at timestamptz,
  primary key (channel, account)
);

comment on table public.templates is 'The templates of the shop''s account at a platform, as the platform told them last.';
comment on column public.templates.account is 'The business account that the templates belong to.';
comment on column public.templates.named is 'Its variables have names, not numbers.';
comment on column public.templates.reason is 'The platform''s reason for a refusal or a pause.';
comment on table public.template_syncs is 'When the templates of an account were read last.';
comment on column public.template_syncs.begun_at is 'When a sweep began to read them; null when they are to be read again at once.';

alter table public.reply_windows enable row level security;
alter table public.templates enable row level security;
alter table public.template_syncs enable row level security;
