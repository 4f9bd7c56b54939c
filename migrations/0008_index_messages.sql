-- The search's index, in a table of its own. Messages are indexed in batches after they are stored: an index that the
-- transaction of a message has to update would multiply what that transaction writes.

-- doc holds the words of a message and the marks for the filters; it is null while they are out of date. n rises in the order
-- in which messages are indexed. A search reads the index from the highest n down.
create table public.message_search (
  message_id uuid primary key,
  n bigint not null,
  session_id uuid not null,
  created_at timestamptz not null,
  doc tsvector
) with (fillfactor = 90);

create sequence public.message_search_n owned by public.message_search.n;

-- New entries go to the GIN index's pending list first. Every search reads this list, so it must be short.
create index message_search_doc on public.message_search using gin (doc) with (gin_pending_list_limit = 512);

comment on table public.message_search is 'The index of the search: the folded words of messages.';
comment on column public.message_search.doc is 'Folded words and bigrams with positions, and marks without: s:session, c:channel, r:role, d:day, m:month, b0: to b4: blocks of n.';

-- New and changed messages that are still to be indexed. A message may have several rows. The transaction that changes a
-- message adds its row, so no message is missed if that transaction commits late. The table has no index, to keep inserts
-- cheap.
create table public.unindexed_messages (
  message_id uuid not null,
  session_id uuid not null,
  queued_at timestamptz not null
);

comment on table public.unindexed_messages is 'New and changed messages that are still to be indexed in message_search.';

alter table public.message_search enable row level security;
alter table public.unindexed_messages enable row level security;

-- Messages that are already stored. The trigger is created first, and its creation waits for open transactions that write
-- messages, so no message is missed. functions/search_index.sql replaces the trigger's function.
create function hub.queue_new_message() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.unindexed_messages values (new.message_id, new.session_id, now());
  return null;
end
$$;

create trigger message_search_new after insert on public.messages
  for each row when (new.text <> '' and new.kind <> 'system') execute function hub.queue_new_message();

insert into public.unindexed_messages
  select message_id, session_id, now() from public.messages where text <> '' and kind <> 'system' order by created_at;
