-- A back office's fields of customers, their profiles from messengers, contacts that frontends claim, and columns for the search.
-- E-mail and phone are not columns: they are identities of the customer.

create domain public.hub_plan as text check (value in ('basic', 'premium'));

alter table public.customers
  add column name text,
  add column preferred_language text,
  add column plan public.hub_plan not null default 'basic',
  add column tags text[] not null default '{}',
  add column attributes jsonb not null default '{}',
  add column profile jsonb not null default '{}',
  add column claimed jsonb not null default '{}',
  add column version integer not null default 1,
  add column called text,
  add column words tsvector;

create index customers_words on public.customers using gin (words);
create index customers_called on public.customers (called, customer_key) where called like '% %';
create index customers_claimed_email on public.customers ((claimed ->> 'email'), customer_key) where claimed ? 'email';
create index customers_claimed_phone on public.customers ((claimed ->> 'phone'), customer_key) where claimed ? 'phone';
-- The beginning of a phone or an e-mail, in any collation.
create index identities_contact on public.identities (value text_pattern_ops) where kind in ('phone', 'email');

comment on column public.customers.name is 'The shop''s name for them. Their name at a messenger is in profile.';
comment on column public.customers.profile is '{name, username, language, channel}: from messengers; channel is the first of them.';
comment on column public.customers.claimed is '{email, phone} from a session''s metadata. They are not verified, and no identity lookup uses them.';
comment on column public.customers.version is 'Rises with each change by a back office, and when customers are merged.';
comment on column public.customers.called is 'The name without case, accents and punctuation. A trigger sets it, and words.';
comment on column public.customers.words is 'For the search: the words of the names, of customer_id and of the claimed e-mail.';
