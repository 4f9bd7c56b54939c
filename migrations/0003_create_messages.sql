-- One row per message, whoever wrote it. seq gives the order and the cursors: microseconds since 1970 of the message's
-- arrival, moved on by one where it would not rise. It is drawn while the session's row is held, so within a session a
-- higher seq never becomes visible before a lower one.

create domain public.hub_direction as text check (value in ('inbound', 'outbound'));
create domain public.hub_role as text check (value in ('user', 'assistant', 'operator', 'system'));
create domain public.hub_message_status as text check (value in ('pending', 'sent', 'delivered', 'read', 'played', 'failed'));

create table public.messages (
  message_id uuid primary key,
  session_id uuid not null,
  seq bigint not null,
  channel text not null,
  account text,
  external_id text,
  direction public.hub_direction not null,
  role public.hub_role not null,
  author text,
  kind text not null,
  text text not null,
  content jsonb not null default '{}',
  reply_to text,
  status public.hub_message_status,
  sent_at timestamptz,
  created_at timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  revisions jsonb
) with (fillfactor = 90);

create index messages_session on public.messages (session_id, seq);

-- A platform's id is unique within channel and account. A caller of ours chooses its own ids, so there, without an
-- account, it is unique within the session: nobody can run into another session's message.
create unique index messages_external_id on public.messages (channel, (coalesce(account, session_id::text)), external_id)
  where external_id is not null;

comment on table public.messages is 'What was said, on all channels, in order.';
comment on column public.messages.author is 'Who told it where that is not the sender: key:<scope>:<first 8 hex of the key''s SHA-256>.';
comment on column public.messages.content is 'The typed rest of the message: its content without kind and, for kind text, without text.';
comment on column public.messages.revisions is 'What it said before it was edited or deleted, oldest first: [{text, kind, content, at}].';

-- Inbound messages whose words were erased: a redelivery of one opens no session. id_hash: SHA-256 over channel, account
-- and external_id, each but the last followed by a newline.
create table public.erased_messages (
  id_hash bytea primary key,
  erased_at timestamptz not null
);

create index erased_messages_age on public.erased_messages (erased_at);

comment on table public.erased_messages is 'Platform ids of erased inbound messages, as hashes, for thirty days.';

alter table public.messages enable row level security;
alter table public.erased_messages enable row level security;
