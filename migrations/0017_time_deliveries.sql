-- When work failed, and when a reply was sent, delivered and read. The columns have no index, so an update of them stays
-- on the row's own page.
alter table public.turns add column failed_at timestamptz;

alter table public.deliveries
  add column sent_at timestamptz,
  add column delivered_at timestamptz,
  add column read_at timestamptz,
  add column failed_at timestamptz;

comment on column public.turns.failed_at is 'When its last attempt failed.';
comment on column public.deliveries.sent_at is 'When the platform took it.';
comment on column public.deliveries.delivered_at is 'By the platform''s clock; null where it tells none.';
comment on column public.deliveries.read_at is 'By the platform''s clock; null where it tells none.';
comment on column public.deliveries.failed_at is 'When its last attempt failed, or the platform said that it had.';

-- A trace reads the audit of one customer.
create index audit_subject on public.audit (subject, audit_id);
