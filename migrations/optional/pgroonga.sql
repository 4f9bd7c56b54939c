-- Lets the search find parts of words, where the database has PGroonga (https://pgroonga.github.io). The texts are kept beside the search's
-- index, and are written by its indexer, so no message waits for this index. functions/search_within.sql reads and writes them.

-- Supabase keeps extensions in a schema of their own.
do $$
begin
  execute 'create extension if not exists pgroonga'
    || case when to_regnamespace('extensions') is not null then ' with schema extensions' else '' end;
end
$$;

create table hub.message_texts (
  message_id uuid primary key,
  text text not null
);

comment on table hub.message_texts is 'The folded texts of the indexed messages, for parts of words. Can be made again from messages: hub.fill_texts().';

alter table hub.message_texts enable row level security;

-- Pairs of letters also within words: the tokenizer that is set by default keeps words of Latin letters whole.
create index message_texts_text on hub.message_texts using pgroonga (text) with (tokenizer = 'TokenBigramSplitSymbolAlphaDigit');
