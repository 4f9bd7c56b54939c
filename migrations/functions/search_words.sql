-- Folds and splits text into words for the search: the same for messages and queries, and in every locale of the database.

-- Text in lower case, in all scripts. With the locale C, lower() changes only ASCII letters. So the function names a
-- collation: the first one of the list that the database has.
do $$
begin
  execute format(
    $sql$
      create or replace function hub.lower_case(p_text text) returns text
      language sql immutable parallel safe as 'select lower(p_text collate %s)'
    $sql$,
    coalesce((
      select format('pg_catalog.%I', collname) from pg_catalog.pg_collation
      where collname in ('pg_c_utf8', 'und-x-icu', 'default') and collencoding in (-1, 6)
      order by array_position('{pg_c_utf8,und-x-icu,default}', collname::text) limit 1), 'pg_catalog."default"'));
end
$$;

-- Characters that folding removes, because people often do not type them: accents, vowel points, nuktas and invisible
-- characters.
create or replace function hub.left_out() returns text
language sql immutable parallel safe as $$
  select '[\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A\u0640\u064B-\u065F\u0670'
    '\u06D6-\u06ED\u093C\u09BC\u0A3C\u0ABC\u0B3C\u1DC0-\u1DFF\u20D0-\u20FF\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u206F'
    '\uFE00-\uFE0F\uFEFF]'
$$;

-- A run of characters between words: no letters, marks or digits.
create or replace function hub.between_words() returns text
language sql immutable parallel safe as $$
  select '[\u0001-\u002F\u003A-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7\u02C2-\u02DF'
    '\u055A-\u055F\u0589\u058A\u05BE\u05C0\u05C3\u05C6\u05F3\u05F4\u0600-\u060F\u061B-\u061F\u066A-\u066D\u06D4\u0700-\u070D'
    '\u0964\u0965\u0970\u0DF4\u0E2F\u0E3F\u0E4F\u0E5A\u0E5B\u0F01-\u0F14\u104A-\u104F\u10FB\u1360-\u1368\u17D4-\u17DB\u1800-\u180A'
    '\u2000-\u206F\u20A0-\u20CF\u2190-\u2BFF\u2E00-\u2E7F\u3000-\u3004\u3008-\u3030\u303D\u30FB\uD800-\uF8FF\uFE10-\uFE6F'
    '\uFF00-\uFF20\uFFE0-\uFFFF\U0001F000-\U0001FBFF]+'
$$;

-- Letters of scripts that are indexed by bigrams, as ranges for a bracket expression: Thai, Lao, Burmese, Khmer, kana,
-- Bopomofo and Han have no spaces between words, and Hangul words have endings.
create or replace function hub.unspaced() returns text
language sql immutable parallel safe as $$
  select '\u0E01-\u0E2E\u0E30-\u0E3A\u0E40-\u0E4E\u0E80-\u0EDF\u1000-\u103F\u1050-\u109F\u1100-\u11FF\u1780-\u17D3\u17DC\u17DD'
    '\u3005-\u3007\u3041-\u3096\u309D-\u30FA\u30FC-\u318F\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3'
    '\U00020000-\U0003FFFF'
$$;

-- Text in the form in which words are compared: lower case, without accents, one form for each letter and digit.
create or replace function hub.fold(p_text text) returns text
language plpgsql immutable parallel safe as $$
declare
  v_text text;
begin
  if p_text ~ '^[\u0001-\u007F]*$' then
    return lower(p_text);
  end if;
  v_text := regexp_replace(hub.lower_case(normalize(p_text, NFKD)), hub.left_out(), '', 'g');
  if v_text ~ '^[\u0001-\u007F]*$' then
    return v_text;
  elsif v_text ~ '[ßæœ]' then
    v_text := replace(replace(replace(v_text, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe');
  end if;
  if v_text ~ '[łøđðıħŧςىةکی٠-٩۰-۹०-९๐-๙০-৯]' then
    v_text := translate(
      v_text,
      'łøđðıħŧςىةکی٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९๐๑๒๓๔๕๖๗๘๙০১২৩৪৫৬৭৮৯',
      'loddihtσيهكي01234567890123456789012345678901234567890123456789');
  end if;
  return normalize(v_text, NFKC);
end
$$;

-- The words of folded text, in order. In scripts without spaces each pair of neighbouring letters is a word (a bigram). With
-- p_last the last letter of a run is a word too, so that a query of one letter finds it; a run of one letter always is.
create or replace function hub.words(p_folded text, p_last boolean) returns text[]
language plpgsql immutable parallel safe as $$
declare
  v_text text := regexp_replace(p_folded, hub.between_words(), ' ', 'g');
begin
  if v_text ~ ('[' || hub.unspaced() || ']') then
    select string_agg(
        case when not is_unspaced then c
          when next_is then ' ' || c || next || ' '
          when p_last or not coalesce(last_is, false) then ' ' || c || ' '
          else ' ' end, '' order by place)
      into v_text
      from (
        select place, c, is_unspaced, lead(c) over w as next, lead(is_unspaced) over w as next_is, lag(is_unspaced) over w as last_is
        from (
          select place, c, c ~ ('[' || hub.unspaced() || ']') as is_unspaced
          from string_to_table(v_text, null) with ordinality as u (c, place)
        ) letters
        window w as (order by place)
      ) pairs;
  end if;
  return array(
    select left(w, 100) from unnest(string_to_array(v_text, ' ')) with ordinality as u (w, place) where w <> '' order by place);
end
$$;

-- The words of a message's text with their positions. Only the first 20,000 characters count.
create or replace function hub.search_words(p_text text) returns tsvector
language plpgsql immutable parallel safe as $$
declare
  v_words constant text[] := hub.words(left(hub.fold(left(p_text, 20000)), 40000), true);
begin
  return (
    select coalesce(string_agg(quote_literal(w) || ':' || least(place, 16383), ' '), '')::tsvector
    from unnest(v_words) with ordinality as u (w, place));
end
$$;
