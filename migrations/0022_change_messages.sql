-- What the shop has done to a message after it was said, beside editing and deleting it.
alter table public.messages
  add column reaction text,
  add column pinned_at timestamptz;

comment on column public.messages.reaction is 'The emoji with which the shop has reacted to it.';
comment on column public.messages.pinned_at is 'When the shop pinned it; null if it is not pinned.';
