-- Files that were uploaded to the hub. The bytes lie in the file storage, under the upload's id; a row here says whose they are and
-- until when they are kept. A file is deleted first and its row afterwards, so that no file is ever without a row.

create table public.uploads (
  upload_id uuid primary key,
  session_id uuid,
  author text,
  mime_type text,
  file_name text,
  size bigint,
  sha256 text,
  platform_ids jsonb not null default '{}',
  created_at timestamptz not null,
  used_at timestamptz,
  delete_at timestamptz not null
);

create index uploads_session on public.uploads (session_id, created_at) where session_id is not null;
create index uploads_over on public.uploads (delete_at) where delete_at < 'infinity';

comment on table public.uploads is 'Files that customers, bots and back offices have uploaded.';
comment on column public.uploads.session_id is 'Whose file it is. Null: the shop''s, and every customer may be sent it.';
comment on column public.uploads.author is 'The API key that uploaded it, by its name in the audit; null for the session itself.';
comment on column public.uploads.mime_type is 'What its first bytes show. Null until the file is stored whole.';
comment on column public.uploads.platform_ids is 'The platforms'' own ids of it: {"<channel>:<account>": {id, until}}.';
comment on column public.uploads.used_at is 'When a message named it last.';
comment on column public.uploads.delete_at is 'When the sweep deletes it; infinity as long as its session is kept.';

alter table public.uploads enable row level security;
