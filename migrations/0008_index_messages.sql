-- What a search of messages reads: an index beside the messages, filled in batches after they are kept, for an index in the
-- transaction that keeps a message would cost it several times what it writes now.

-- The words of a message, and marks by which a search narrows it down; null while they are out of date. n rises in the
-- order in which messages came into the index: a search goes through it from the newest.
create table public.message_search (
  message_id uuid primary key,
  n bigint not null,
  session_id uuid not null,
  created_at timestamptz not null,
  doc tsvector
) with (fillfactor = 90);

create sequence public.message_search_n owned by public.message_search.n;

-- What was added since the last batch waits in the index's own list, which every search reads: a short one.
create index message_search_doc on public.message_search using gin (doc) with (gin_pending_list_limit = 512);

comment on table public.message_search is 'The words of messages, as a search compares them.';
comment on column public.message_search.doc is 'Folded words and bigrams with their places, and marks without: s:session, c:channel, r:role, d:day, m:month, b0: to b4: blocks of n.';

-- Messages whose words are not in the index yet, or not as they are now; one may stand here twice. A row comes with the
-- transaction that changes its message, so none is missed that commits late. No index: a row costs what it weighs.
create table public.unindexed_messages (
  message_id uuid not null,
  session_id uuid not null,
  queued_at timestamptz not null
);

comment on table public.unindexed_messages is 'Messages to be taken into message_search.';

alter table public.message_search enable row level security;
alter table public.unindexed_messages enable row level security;

-- Messages that were kept before. The trigger comes first, and waits for whoever is writing one: so none falls between. Its
-- function is replaced by functions/search_index.sql.
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
