-- The search's indexer continues where its last batch ended, and does not read all unsettled messages again for each batch.
alter table public.search_progress add column read_to uuid;

comment on column public.search_progress.read_to is 'The pass that is under way continues at this message. Null: the next call begins a pass at settled.';

-- Where a search looks for messages between two instants: see hub.search_dates.
create type hub.search_dates as (low bigint, high bigint, days tsquery);
