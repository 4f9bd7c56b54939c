-- A campaign keeps a pace of its own behind that of the replies, so that no reply waits for a slot that a campaign has taken.

alter table public.paces add column bulk_at timestamptz;

comment on column public.paces.next_at is 'The next free slot of replies.';
comment on column public.paces.bulk_at is 'The next free slot of campaigns. A reply moves it on; a campaign does not move next_at.';

-- A campaign that is asked for again after an answer that did not come is the same one.
alter table public.campaigns add column idempotency_key text, add column body_hash text;
create unique index campaigns_idempotency on public.campaigns (actor, idempotency_key) where idempotency_key is not null;
