-- How a session's language was decided, and the hub's language settings beside a call's other settings.

create domain public.hub_language_source as text check (value in ('message', 'customer', 'chosen'));

alter table public.sessions add column language_by public.hub_language_source;

comment on column public.sessions.language_by is 'What decided its language: a message''s words, the customer''s preferred_language, or a choice. Null: it is the default, and a message may decide.';

alter type hub.context add attribute languages jsonb;
