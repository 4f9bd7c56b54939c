-- Edits and deletions by the bot of its own earlier replies.

-- Changes the earlier reply that an edit or a deletion names, and keeps what it said as a revision. Nothing changes for a message
-- of another session or channel, one that the bot did not say, or one that is deleted. p_reply: as in hub_complete. The
-- session's row is held.
create or replace function hub.change_reply(t public.turns, p_reply jsonb, p_now timestamptz) returns void
language sql volatile as $$
  update public.messages
    set revisions = coalesce(revisions, '[]') || jsonb_build_object('text', text, 'kind', kind, 'content', content, 'at', p_now),
        kind = case p_reply ->> 'kind' when 'edit' then 'text' else 'system' end,
        text = coalesce(p_reply #>> '{content,text}', ''),
        content = case p_reply ->> 'kind'
          when 'edit' then jsonb_strip_nulls(jsonb_build_object('format', p_reply #> '{content,format}'))
          else '{"event": "deleted"}' end,
        edited_at = case p_reply ->> 'kind' when 'edit' then p_now else edited_at end,
        deleted_at = case p_reply ->> 'kind' when 'delete' then p_now end
    where message_id = (p_reply #>> '{content,message_id}')::uuid
      and session_id = t.session_id and channel = t.channel and role = 'assistant' and deleted_at is null
      and kind not in ('edit', 'delete')
$$;
