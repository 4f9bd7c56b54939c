-- For the bot that is a language model: what it uses, what a session's summary covers, and the shop's documents.

-- What a customer's turns have used on a day (UTC). held_tokens are set aside for calls that are on their way, or were cut off.
create table public.model_usage (
  customer_key uuid not null,
  day date not null,
  turns integer not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  held_tokens bigint not null default 0,
  primary key (customer_key, day)
);

create index model_usage_day on public.model_usage (day);

comment on table public.model_usage is 'Tokens of the language model, by customer and day.';
comment on column public.model_usage.held_tokens is 'Set aside for calls on their way. They stay if a call is cut off: nobody knows what it has used.';

-- The same of all customers together. These rows name nobody and are kept.
create table public.model_days (
  day date primary key,
  turns bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost numeric not null default 0,
  held_cost numeric not null default 0
);

comment on table public.model_days is 'Tokens and cost of the language model, by day.';
comment on column public.model_days.cost is 'In millionths of the currency in which the prices are set.';

alter table public.sessions add column summary_seq bigint;

comment on column public.sessions.summary_seq is 'The seq of the last message that the summary covers. Null: a summary that was written otherwise.';

create table public.knowledge (
  knowledge_id text collate "C" primary key,
  title text not null,
  url text,
  format text not null check (format in ('text', 'markdown')),
  text text not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null
);

comment on table public.knowledge is 'Documents of the shop from which the bot answers.';

create table public.knowledge_chunks (
  knowledge_id text collate "C" not null,
  place integer not null,
  heading text not null,
  text text not null,
  doc tsvector not null,
  primary key (knowledge_id, place)
);

create index knowledge_chunks_doc on public.knowledge_chunks using gin (doc);

comment on table public.knowledge_chunks is 'The parts of documents that a search finds.';
comment on column public.knowledge_chunks.heading is 'The headings above the part, outermost first, joined by " > ".';
comment on column public.knowledge_chunks.doc is 'Folded words of title, heading and text, as in message_search.';

alter table public.model_usage enable row level security;
alter table public.model_days enable row level security;
alter table public.knowledge enable row level security;
alter table public.knowledge_chunks enable row level security;
