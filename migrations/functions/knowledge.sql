-- The shop's documents, and the search in them. Each call takes one jsonb argument and returns jsonb.

-- A document as operators see it, without its text unless p_whole.
create or replace function hub.knowledge_json(k public.knowledge, p_whole boolean) returns jsonb
language sql stable as $$
  select to_jsonb(k) - case when p_whole then '' else 'text' end || jsonb_build_object(
    'chunks', (select count(*) from public.knowledge_chunks where knowledge_id = k.knowledge_id),
    'embedded', (select count(*) from public.knowledge_chunks where knowledge_id = k.knowledge_id and embedding is not null))
$$;

-- Writes a document with its parts. p: {now, actor, knowledge_id, fields: {title, url, format, text}, chunks: [{heading, text}]}. The same
-- document again changes nothing but its parts. A part whose words stay the same keeps its vector; without one
-- the model is asked again. Returns {document, created}.
create or replace function public.hub_put_knowledge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id constant text := p ->> 'knowledge_id';
  f constant jsonb := p -> 'fields';
  k public.knowledge;
  n public.knowledge;
  v_before public.knowledge_chunks[];
begin
  insert into public.knowledge (knowledge_id, title, url, format, text, created_at, updated_at)
    values (v_id, f ->> 'title', f ->> 'url', f ->> 'format', f ->> 'text', v_now, v_now)
    on conflict do nothing
    returning * into n;
  if n.knowledge_id is null then
    select * into k from public.knowledge where knowledge_id = v_id for update;
    if k.knowledge_id is null then
      raise exception 'the document was deleted meanwhile' using errcode = 'serialization_failure';
    end if;
    update public.knowledge
      set title = f ->> 'title', url = f ->> 'url', format = f ->> 'format', text = f ->> 'text'
      where knowledge_id = v_id
      returning * into n;
    if n is distinct from k then
      update public.knowledge set version = version + 1, updated_at = greatest(updated_at, v_now)
        where knowledge_id = v_id
        returning * into n;
    end if;
  end if;
  if k.title = n.title then
    select array_agg(x) into v_before from public.knowledge_chunks x where knowledge_id = v_id and embedding is not null;
  end if;
  delete from public.knowledge_chunks where knowledge_id = v_id;
  insert into public.knowledge_chunks (knowledge_id, place, heading, text, doc, embedding, embedding_model)
    select v_id, u.place, c ->> 'heading', c ->> 'text', hub.search_words(hub.part_text(n.title, c ->> 'heading', c ->> 'text')),
      b.embedding, b.embedding_model
    from jsonb_array_elements(p -> 'chunks') with ordinality as u (c, place)
      left join lateral (
        select embedding, embedding_model from unnest(v_before) x where x.heading = c ->> 'heading' and x.text = c ->> 'text' limit 1
      ) b on true;
  perform hub.add_audit(p ->> 'actor', 'knowledge.put', 'knowledge:' || v_id, '{}', v_now);
  return jsonb_build_object('document', hub.knowledge_json(n, true), 'created', k.knowledge_id is null);
end
$$;

-- Reads a document. p: {knowledge_id}. Returns {document}. Refuses not_found.
create or replace function public.hub_get_knowledge(p jsonb) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  k public.knowledge;
begin
  select * into k from public.knowledge where knowledge_id = p ->> 'knowledge_id';
  if k.knowledge_id is null then
    perform hub.refuse('not_found');
  end if;
  return jsonb_build_object('document', hub.knowledge_json(k, true));
end
$$;

-- Deletes a document. p: {now, actor, knowledge_id}. Returns {deleted}: whether it was there.
create or replace function public.hub_delete_knowledge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_id constant text := p ->> 'knowledge_id';
begin
  perform 1 from public.knowledge where knowledge_id = v_id for update;
  if not found then
    return '{"deleted": false}';
  end if;
  delete from public.knowledge_chunks where knowledge_id = v_id;
  delete from public.knowledge where knowledge_id = v_id;
  perform hub.add_audit(p ->> 'actor', 'knowledge.delete', 'knowledge:' || v_id, '{}', (p ->> 'now')::timestamptz);
  return '{"deleted": true}';
end
$$;

-- Documents by their ids, without their texts. p: {after, limit}. Returns {documents, after}; after is null on the last page.
create or replace function public.hub_list_knowledge(p jsonb) returns jsonb
language sql stable security definer set search_path = '' as $$
  with page as (
    select k, row_number() over (order by k.knowledge_id) as place
    from public.knowledge k
    where k.knowledge_id > coalesce(p ->> 'after', '')
    order by k.knowledge_id
    limit (p ->> 'limit')::int + 1
  ), shown as (
    select k, place from page where place <= (p ->> 'limit')::int
  )
  select jsonb_build_object(
    'documents', (select coalesce(jsonb_agg(hub.knowledge_json(k, false) order by place), '[]') from shown),
    'after', case when (select count(*) from page) > (p ->> 'limit')::int then
      (select (k).knowledge_id from shown order by place desc limit 1) end)
$$;

-- The words of a question with the query of each: a word itself, and words that begin like it, as far as an ending may differ. At most
-- thirty words. Bigrams have no endings.
create or replace function hub.question_words(p_question text) returns table (word tsquery, alike tsquery)
language sql stable as $$
  select quote_literal(w)::tsquery,
    case when length(w) >= 5 and w !~ ('[' || hub.unspaced() || ']') then (quote_literal(left(w, greatest(4, length(w) - 3))) || ':*')::tsquery
      else quote_literal(w)::tsquery end
  from (
    select distinct w from unnest((hub.words(left(hub.fold(left(p_question, 2000)), 4000), false))[1:60]) as w limit 30
  ) words
$$;

-- What is searched of a part: by words, and by the vector that is made of it.
create or replace function hub.part_text(p_title text, p_heading text, p_text text) returns text
language sql immutable as $$
  select concat_ws(E'\n', p_title, nullif(p_heading, ''), p_text)
$$;

create or replace function hub.part_hash(p_text text) returns text
language sql immutable as $$
  select encode(sha256(convert_to(p_text, 'UTF8')), 'hex')
$$;

-- The parts that fit a question best by its words. A word counts the more, the fewer parts have it, and half if only its beginning is the
-- same; a word that most parts have counts little. nth counts from 1.
create or replace function hub.parts_by_words(p_question text, p_limit integer) returns table (knowledge_id text, place integer, nth bigint)
language sql stable as $$
  with words as materialized (
    select word, alike from hub.question_words(p_question)
  ), everything as (
    select count(*) as parts from public.knowledge_chunks
  ), hits as materialized (
    select w.alike, x.knowledge_id, x.place, x.doc @@ w.word as exact, length(x.text) as size
    from words w cross join lateral (
      select c.knowledge_id, c.place, c.doc, c.text from public.knowledge_chunks c where c.doc @@ w.alike
    ) x
  ), weights as (
    select alike, ln(1 + (max(parts) - count(*) + 0.5) / (count(*) + 0.5)) as weight from hits, everything group by alike
  ), ranked as (
    select h.knowledge_id, h.place, sum(w.weight * case when h.exact then 1 else 0.5 end) / (1 + h.size / 4000.0) as score
    from hits h join weights w on w.alike = h.alike
    group by h.knowledge_id, h.place, h.size
  )
  select r.knowledge_id, r.place, row_number() over (order by score desc, r.knowledge_id, r.place) as nth
  from ranked r
  order by nth
  limit p_limit
$$;

-- The schema of pgvector; null without it. Its operators need their schema before them, and it differs between databases.
create or replace function hub.vector_schema() returns text
language sql stable as $$
  select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'vector'
$$;

-- The parts whose vectors are nearest to a question's, of the same model and length; none without pgvector. All of the model's vectors are
-- compared: that is exact, and quick for the documents of a shop.
create or replace function hub.parts_by_vector(p_near jsonb, p_limit integer) returns table (knowledge_id text, place integer, nth bigint)
language plpgsql stable as $$
declare
  v_schema constant text := hub.vector_schema();
  v_vector constant real[] := array(select x::real from jsonb_array_elements_text(p_near -> 'vector') as u (x));
begin
  if v_schema is null then
    return;
  end if;
  return query execute format($q$
    select knowledge_id, place, row_number() over (order by distance, knowledge_id, place)
    from (
      select knowledge_id, place,
        case when cardinality(embedding) = $3 then embedding::%1$I.vector operator(%1$I.<=>) $2::%1$I.vector end as distance
      from public.knowledge_chunks
      where embedding_model = $1 and embedding is not null
    ) x
    where distance is not null
    order by distance, knowledge_id, place
    limit $4$q$, v_schema) using p_near ->> 'model', v_vector, cardinality(v_vector), p_limit;
end
$$;

-- The parts of documents that fit a question best. p: {query, limit, near: {model, vector}}; near is optional. Each search has its own order, and a
-- part counts by its places in both: 1 / (60 + place), the usual sum of reciprocal ranks. Returns {results: [{knowledge_id, title, url,
-- heading, text}]}.
create or replace function public.hub_search_knowledge(p jsonb) returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  with found as (
    select knowledge_id, place, nth from hub.parts_by_words(p ->> 'query', greatest((p ->> 'limit')::int, 30))
    union all
    select knowledge_id, place, nth from hub.parts_by_vector(p -> 'near', greatest((p ->> 'limit')::int, 30)) where p ? 'near'
  ), ranked as (
    select knowledge_id, place, sum(1.0 / (60 + nth)) as score from found
    group by knowledge_id, place
    order by score desc, knowledge_id, place
    limit (p ->> 'limit')::int
  )
  select jsonb_build_object('results', coalesce(
    jsonb_agg(jsonb_build_object(
      'knowledge_id', k.knowledge_id, 'title', k.title, 'url', k.url, 'heading', c.heading, 'text', c.text)
      order by r.score desc, r.knowledge_id, r.place), '[]'))
  from ranked r
    join public.knowledge_chunks c on c.knowledge_id = r.knowledge_id and c.place = r.place
    join public.knowledge k on k.knowledge_id = r.knowledge_id
$$;

-- Parts without a vector of a model. p: {model, limit}. Returns {parts: [{knowledge_id, place, text, hash}]}; none without pgvector. Each sweep
-- asks, and mostly there are none: sequential scans are off, as for its other looks.
create or replace function public.hub_unembedded_knowledge(p jsonb) returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  with lacking as (
    (select * from public.knowledge_chunks where embedding_model is null limit (p ->> 'limit')::int)
    union all
    (select * from public.knowledge_chunks where embedding_model < p ->> 'model' limit (p ->> 'limit')::int)
    union all
    (select * from public.knowledge_chunks where embedding_model > p ->> 'model' limit (p ->> 'limit')::int)
  ), parts as (
    select c.knowledge_id, c.place, hub.part_text(k.title, c.heading, c.text) as text
    from lacking c join public.knowledge k on k.knowledge_id = c.knowledge_id
    where hub.vector_schema() is not null
    limit (p ->> 'limit')::int
  )
  select jsonb_build_object('parts', coalesce(jsonb_agg(jsonb_build_object(
    'knowledge_id', knowledge_id, 'place', place, 'text', text, 'hash', hub.part_hash(text)) order by knowledge_id, place), '[]'))
  from parts
$$;

-- Keeps the vectors of parts, unless their text has changed or somebody writes their document. p: {model, parts: [{knowledge_id, place, hash,
-- vector}]}; a null vector: the model refuses the part. Returns {embedded}: how many were kept.
create or replace function public.hub_embed_knowledge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_ids text[];
  v_count integer;
begin
  select array_agg(knowledge_id) into v_ids from (
    select k.knowledge_id from public.knowledge k
    where k.knowledge_id in (select u ->> 'knowledge_id' from jsonb_array_elements(p -> 'parts') u)
    order by k.knowledge_id
    for update skip locked
  ) held;
  update public.knowledge_chunks c
    set embedding_model = p ->> 'model',
      embedding = case when jsonb_typeof(u.vector) = 'array' then array(select x::real from jsonb_array_elements_text(u.vector) as v (x)) end
    from jsonb_to_recordset(p -> 'parts') as u (knowledge_id text, place integer, hash text, vector jsonb)
      join public.knowledge k on k.knowledge_id = u.knowledge_id
    where c.knowledge_id = u.knowledge_id and c.place = u.place and u.knowledge_id = any (v_ids)
      and hub.part_hash(hub.part_text(k.title, c.heading, c.text)) = u.hash;
  get diagnostics v_count = row_count;
  return jsonb_build_object('embedded', v_count);
end
$$;
