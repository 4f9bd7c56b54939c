-- Messages that were deleted while the texts were added: their deletion did not see the rows.
delete from hub.message_texts t where not exists (select from public.message_search x where x.message_id = t.message_id);
