-- What a shop's back office keeps of its customers, what messengers and frontends say of them, and what finds them by words.
-- E-mail and phone are no columns: a customer's identities of these kinds are the one truth.

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

comment on column public.customers.name is 'As the shop calls them; what a messenger calls them is in profile.';
comment on column public.customers.profile is '{name, username, language, channel}: what messengers say of them, and which was first.';
comment on column public.customers.claimed is '{email, phone} that a frontend told in a session''s metadata: nobody verified it, and it finds nobody.';
comment on column public.customers.version is 'Moves with each change that a back office makes.';
comment on column public.customers.called is 'The name without case, accents and punctuation. Kept by a trigger, as words.';
comment on column public.customers.words is 'What a search finds: the words of the names, of customer_id and of the claimed e-mail.';
