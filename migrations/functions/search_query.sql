-- Parses the query of a search.

-- A lexeme of a query: a word, or a mark. Only marks contain a colon.
create or replace function hub.lexeme(p_word text, p_prefix boolean default false) returns text
language sql immutable parallel safe as $$
  select quote_literal(p_word) || case when p_prefix then ':*' else '' end
$$;

-- One part of a query, from folded text: its words, which must follow each other. With p_prefix the last word also matches
-- longer words. Null without any word. In scripts without spaces a single letter always is a prefix, because bigrams begin
-- with it, and a bigram never is.
create or replace function hub.phrase(p_text text, p_prefix boolean) returns text
language plpgsql immutable parallel safe as $$
declare
  v_words constant text[] := hub.words(p_text, false);
  v_count constant integer := coalesce(array_length(v_words, 1), 0);
  v_phrase text;
begin
  select string_agg(
      hub.lexeme(w, case when w ~ ('[' || hub.unspaced() || ']') then length(w) = 1
        else p_prefix and place = v_count and length(w) > 1 end), ' <-> ' order by place)
    into v_phrase
    from unnest(v_words) with ordinality as u (w, place);
  return case when v_count > 1 then '(' || v_phrase || ')' else v_phrase end;
end
$$;

-- Parses a search like websearch_to_tsquery: words that a message must have, "phrases", -without, or. A chunk of several words
-- (a name with hyphens, an address) is a phrase. query finds messages, and is empty without any word. exact is the same with
-- the last word as a whole word. terms are for highlighting: [{text, prefix}], folded, without the excluded ones.
create or replace function hub.read_query(p_text text, out query tsquery, out exact tsquery, out terms jsonb)
language plpgsql immutable parallel safe as $$
declare
  v_text constant text := hub.fold(translate(p_text, '“”„«»', '"""""'));
  v_parts constant text[] := array(
    select m[1] || case when m[3] is null then '"' || m[2] else ' ' || m[3] end
    from regexp_matches(v_text, '(-?)(?:"([^"]*)"?|([^[:space:]"]+))', 'g') as m);
  v_query text := '';
  v_exact text := '';
  v_or boolean := false;
  v_not boolean;
  v_last boolean;
  v_said text;
  v_phrase text;
begin
  terms := '[]';
  for i in 1 .. coalesce(array_length(v_parts, 1), 0) loop
    v_not := v_parts[i] like '-%';
    v_said := substr(v_parts[i], case when v_not then 3 else 2 end);
    if v_parts[i] = ' or' and v_query <> '' and i < array_length(v_parts, 1) then
      v_or := true;
      continue;
    end if;
    v_last := i = array_length(v_parts, 1) and v_parts[i] like ' %' and v_text ~ '[^[:space:]]$';
    v_phrase := hub.phrase(v_said, v_last);
    continue when v_phrase is null;
    if v_query <> '' then
      v_query := v_query || case when v_or then ' | ' else ' & ' end;
      v_exact := v_exact || case when v_or then ' | ' else ' & ' end;
    end if;
    v_or := false;
    v_query := v_query || case when v_not then '!' else '' end || v_phrase;
    v_exact := v_exact || case when v_not then '!' else '' end || hub.phrase(v_said, false);
    if not v_not then
      v_said := btrim(regexp_replace(v_said, hub.between_words(), ' ', 'g'));
      terms := terms || jsonb_build_object('text', v_said, 'prefix', v_last and v_said ~ '[^ ]{2}$');
    end if;
  end loop;
  query := v_query::tsquery;
  exact := v_exact::tsquery;
end
$$;
