-- The shop's documents, and the search in them. Each call takes one jsonb argument and returns jsonb.

-- A document as operators see it, without its text unless p_whole.
create or replace function hub.knowledge_json(k public.knowledge, p_whole boolean) returns jsonb
language sql stable as $$
  select to_jsonb(k) - case when p_whole then '' else 'text' end || jsonb_build_object(
    'chunks', (select count(*) from public.knowledge_chunks where knowledge_id = k.knowledge_id))
$$;

-- Writes a document with its parts. p: {now, actor, knowledge_id, fields: {title, url, format, text}, chunks: [{heading, text}]}. The same
-- document again changes nothing but its parts. Returns {document, created}.
create or replace function public.hub_put_knowledge(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_now constant timestamptz := p ->> 'now';
  v_id constant text := p ->> 'knowledge_id';
  f constant jsonb := p -> 'fields';
  k public.knowledge;
  n public.knowledge;
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
  delete from public.knowledge_chunks where knowledge_id = v_id;
  insert into public.knowledge_chunks (knowledge_id, place, heading, text, doc)
    select v_id, place, c ->> 'heading', c ->> 'text', hub.search_words(concat_ws(E'\n', n.title, c ->> 'heading', c ->> 'text'))
    from jsonb_array_elements(p -> 'chunks') with ordinality as u (c, place);
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

-- The parts of documents that fit a question best. p: {query, limit}. A word counts the more, the fewer parts have it, and half if only its
-- beginning is the same; a word that most parts have counts little. Returns {results: [{knowledge_id, title, url, heading, text}]}.
create or replace function public.hub_search_knowledge(p jsonb) returns jsonb
language sql stable security definer set search_path = '' set enable_seqscan = off as $$
  with words as materialized (
    select word, alike from hub.question_words(p ->> 'query')
  ), everything as (
    select count(*) as parts from public.knowledge_chunks
  ), hits as materialized (
    select w.alike, x.knowledge_id, x.place, x.doc @@ w.word as exact, length(x.text) as size
    from words w cross join lateral (
      select knowledge_id, place, doc, text from public.knowledge_chunks where doc @@ w.alike
    ) x
  ), weights as (
    select alike, ln(1 + (max(parts) - count(*) + 0.5) / (count(*) + 0.5)) as weight from hits, everything group by alike
  ), ranked as (
    select h.knowledge_id, h.place, sum(w.weight * case when h.exact then 1 else 0.5 end) / (1 + h.size / 4000.0) as score
    from hits h join weights w on w.alike = h.alike
    group by h.knowledge_id, h.place, h.size
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
