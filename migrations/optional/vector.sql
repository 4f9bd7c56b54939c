-- pgvector: knowledge is found by the vectors of knowledge_chunks.embedding too. Supabase keeps extensions in the schema extensions;
-- elsewhere it may be anywhere already.
do $$
begin
  if not exists (select from pg_extension where extname = 'vector') then
    create schema if not exists extensions;
    create extension vector with schema extensions;
  end if;
end
$$;
