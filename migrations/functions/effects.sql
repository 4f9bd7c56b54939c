-- The changes of a call besides its own session. They are collected while the call runs, and returned at its end.

-- Adds a change. p_kind: merged (session ids), closed (token hashes), notified (session ids), conflicts, deliveries.
create or replace function hub.add_effect(p_kind text, p_values jsonb) returns void
language plpgsql volatile as $$
declare
  v_effects jsonb := coalesce(nullif(current_setting('hub.effects', true), ''), '{}');
begin
  if p_values <> '[]' then
    v_effects := v_effects || jsonb_build_object(p_kind, coalesce(v_effects -> p_kind, '[]') || p_values);
    perform set_config('hub.effects', v_effects::text, true);
  end if;
end
$$;

-- Returns the changes added since the last call of this in the transaction, {} for none.
create or replace function hub.take_effects() returns jsonb
language plpgsql volatile as $$
declare
  v_effects constant text := current_setting('hub.effects', true);
begin
  if v_effects <> '' then
    perform set_config('hub.effects', '', true);
    return v_effects;
  end if;
  return '{}';
end
$$;
