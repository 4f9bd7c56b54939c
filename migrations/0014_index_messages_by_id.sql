-- The search's indexer finds new messages by their ids, which begin with the time. Before, each message added a row to
-- unindexed_messages. Now only messages do whose id does not tell when they were stored, and those that change.

-- How far the indexer has come; one row, which its first run adds. functions/search_index.sql says how it moves.
create table public.search_progress (
  single boolean primary key default true check (single),
  settled uuid not null,
  read_at timestamptz not null,
  read_before xid8 not null
) with (fillfactor = 50);

comment on table public.search_progress is 'How far the search''s indexer has come.';
comment on column public.search_progress.settled is 'All messages with a lower id are in message_search or in unindexed_messages, or have no words, and no message with a lower id is still to be committed without a row in unindexed_messages.';
comment on column public.search_progress.read_at is 'An instant. settled may move to shortly before it once all transactions before read_before have ended.';
comment on column public.search_progress.read_before is 'The first transaction id that had not been given out at read_at.';

alter table public.search_progress enable row level security;

comment on table public.unindexed_messages is 'Changed messages, and new ones whose id does not tell when they were stored, that are still to be indexed in message_search.';
