-- One row per message, whoever wrote it. seq gives the order and the cursors: it is drawn while the session's row
-- is held, so within a session a higher seq never becomes visible before a lower one.

create table public.messages (
  message_id uuid primary key,
  session_id uuid not null,
  seq bigint not null generated always as identity,
  channel text not null,
  account text,
  external_id text,
  direction text not null check (direction in ('inbound', 'outbound')),
  role text not null check (role in ('user', 'assistant', 'operator', 'system')),
  kind text not null,
  text text not null,
  content jsonb not null default '{}',
  reply_to text,
  status text check (status in ('pending', 'sent', 'delivered', 'read', 'played', 'failed')),
  sent_at timestamptz,
  created_at timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  revisions jsonb
) with (fillfactor = 90);

create index messages_session on public.messages (session_id, seq);
create index messages_age on public.messages using brin (created_at);

-- A platform's id is unique within channel and account. A caller of ours chooses its own ids, so there, without an
-- account, it is unique within the session: nobody can run into somebody else's message.
create unique index messages_external_id on public.messages (channel, (coalesce(account, session_id::text)), external_id)
  where external_id is not null;

comment on table public.messages is 'What was said, on all channels, in order.';
comment on column public.messages.content is 'The typed rest of the message: its content without kind and, for kind text, without text.';
comment on column public.messages.revisions is 'What it said before it was edited or deleted, oldest first: [{text, kind, content, at}].';

alter table public.messages enable row level security;
