-- The texts that were indexed before. The table is there already, so messages that are indexed or changed meanwhile keep it right.
select hub.fill_texts();
