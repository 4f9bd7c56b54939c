-- How people prove who they are beside what platforms sign, and the line that every look into their data leaves.

-- One live code per phone, known or not. code_hash: SHA-256 over phone and code, hex.
create table public.codes (
  phone text primary key,
  code_hash text not null,
  attempts smallint not null default 0,
  created_at timestamptz not null,
  expires_at timestamptz not null
);

create index codes_age on public.codes (expires_at);

comment on table public.codes is 'One-time codes that were sent and not yet confirmed. attempts counts wrong ones; five kill it.';

-- A link token waits for the person at the device with this token, and dies with that token. Once used it is deleted, and
-- new_token_hash is the device's token. asked_kind and asked_value: who sent it and was asked to agree to a merge.
create table public.links (
  link_hash text primary key,
  token_hash text not null,
  new_token_hash text not null,
  asked_kind public.hub_identity_kind,
  asked_value text,
  created_at timestamptz not null,
  expires_at timestamptz not null
);

create index links_token on public.links (token_hash);
create index links_age on public.links (expires_at);

comment on table public.links is 'What devices show to be scanned with a messenger, by the hash of its token. For one use.';

create table public.passwords (
  phone text primary key,
  password_hash text not null,
  updated_at timestamptz not null
);

create index passwords_age on public.passwords (updated_at);

comment on table public.passwords is 'bcrypt of the SHA-256 of passwords. updated_at is when one was set or let somebody in last.';

-- Keys are made of hashes, never of phones or addresses in clear.
create table public.rate_limits (
  key text primary key,
  count integer not null,
  ends_at timestamptz not null
) with (fillfactor = 50);

create index rate_limits_age on public.rate_limits (ends_at);

comment on table public.rate_limits is 'What was tried how often, and until when that counts.';

create table public.audit (
  audit_id uuid primary key,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject text not null,
  details jsonb not null default '{}'
);

comment on table public.audit is 'Who exported or erased whose data, and what retention deleted. Holds no content; lines are only ever added.';

alter table public.codes enable row level security;
alter table public.links enable row level security;
alter table public.passwords enable row level security;
alter table public.rate_limits enable row level security;
alter table public.audit enable row level security;

-- Supabase keeps pgcrypto in the schema extensions; elsewhere it may be anywhere already.
do $$
begin
  if not exists (select 1 from pg_extension where extname = 'pgcrypto') then
    create schema if not exists extensions;
    create extension pgcrypto with schema extensions;
  end if;
end
$$;
