-- What an embeddings model makes of the parts of documents. The column is an array, so that a database without pgvector has the same
-- tables; hub_search_knowledge casts it to a vector where the extension is there.
alter table public.knowledge_chunks add column embedding real[], add column embedding_model text collate "C";

-- Vectors do not get smaller by compression.
alter table public.knowledge_chunks alter column embedding set storage external;

create index knowledge_chunks_embedding_model on public.knowledge_chunks (embedding_model);

comment on column public.knowledge_chunks.embedding is 'The vector of title, heading and text. Null beside a model: the model refused the part.';
comment on column public.knowledge_chunks.embedding_model is 'Which model was asked. Null: none yet.';
