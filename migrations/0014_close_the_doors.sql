-- Only the service role gets in: row level security without a policy keeps everybody out of the tables, and nobody
-- else may call a function. Plain Postgres has no Supabase roles; there, only the owner gets in.

revoke all on table
  public.sessions, public.session_tokens, public.messages, public.turns, public.deliveries, public.early_events,
  public.paces, public.counters, public.codes, public.links, public.passwords, public.limits, public.audit
  from public;
revoke all on sequence public.messages_seq_seq, public.deliveries_seq_seq from public;

do $$
declare
  v_function regprocedure;
  v_table text;
  v_role text;
begin
  for v_function in
    select p.oid::regprocedure from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname like 'hub\_%'
  loop
    execute format('revoke all on function %s from public', v_function);
    foreach v_role in array array['anon', 'authenticated'] loop
      if exists (select 1 from pg_roles where rolname = v_role) then
        execute format('revoke all on function %s from %I', v_function, v_role);
      end if;
    end loop;
    if exists (select 1 from pg_roles where rolname = 'service_role') then
      execute format('grant execute on function %s to service_role', v_function);
    end if;
  end loop;

  foreach v_table in array array[
    'sessions', 'session_tokens', 'messages', 'turns', 'deliveries', 'early_events', 'paces', 'counters',
    'codes', 'links', 'passwords', 'limits', 'audit'
  ] loop
    foreach v_role in array array['anon', 'authenticated'] loop
      if exists (select 1 from pg_roles where rolname = v_role) then
        execute format('revoke all on table public.%I from %I', v_table, v_role);
      end if;
    end loop;
  end loop;

  if exists (select 1 from pg_roles where rolname = 'service_role') then
    revoke insert, update, delete, truncate on table public.audit from service_role;
  end if;

  foreach v_role in array array['anon', 'authenticated'] loop
    if exists (select 1 from pg_roles where rolname = v_role) then
      execute format('revoke all on sequence public.messages_seq_seq, public.deliveries_seq_seq from %I', v_role);
    end if;
  end loop;
end
$$;
