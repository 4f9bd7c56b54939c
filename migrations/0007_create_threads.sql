-- Memory for bots and tools: documents by an id that the caller chose, each with a lifetime that slides with each use.
--
-- data and metadata are compact JSON as the hub wrote it. They are text, so that numbers and the order of keys come back as
-- they went in, and so that octet_length gives their size. The sweep sets both to null after the thread's expiry.
-- A read changes expires_at and no indexed column, so that its update stays on the row's own page. The sweep reads the
-- thread at expiry_check_at, which is never later than the thread's next change by the sweep.
create table public.threads (
  thread_id text collate "C" primary key,
  user_id text,
  data text,
  metadata text,
  ttl interval not null,
  version bigint not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  expires_at timestamptz not null,
  expiry_check_at timestamptz not null,
  check ((data is null) = (metadata is null))
) with (fillfactor = 80);

create index threads_user on public.threads (user_id, created_at desc, thread_id) where user_id is not null;
create index threads_expiry_check on public.threads (expiry_check_at);

comment on table public.threads is 'Memory of bots and tools, by ids of their own. An expired thread stays as an empty row for a week.';
comment on column public.threads.user_id is 'The caller''s own name for a user; where it is a customer_id, the thread is that customer''s.';
comment on column public.threads.version is 'Milliseconds since 1970 at its first version, then one more with each change: no version comes twice.';

alter table public.threads enable row level security;

-- The tokens that a session had at its end. They open nothing, but may rate that session for a day.
create table public.ended_tokens (
  token_hash text primary key,
  session_id uuid not null,
  ended_at timestamptz not null
);

create index ended_tokens_session on public.ended_tokens (session_id);
create index ended_tokens_age on public.ended_tokens (ended_at);

comment on table public.ended_tokens is 'Hashes of tokens that died with their session; for a day they may rate it.';

alter table public.ended_tokens enable row level security;
