-- What is made in these schemas later is closed to everybody from the start: Postgres lets everybody call a new function,
-- and Supabase gives the API roles everything that is new in public. Default privileges belong to the role that makes a
-- thing: always migrate with the same one. Plain Postgres has no API roles.

-- Helpers live in hub; nobody but the owner may even look anything up there. The calls of the hub live in public.
create schema if not exists hub;

alter default privileges revoke execute on functions from public;

do $$
declare
  v_role text;
begin
  revoke all on schema hub from public;
  for v_role in select rolname from pg_roles where rolname in ('anon', 'authenticated') loop
    execute format('alter default privileges in schema public revoke all on tables from %I', v_role);
    execute format('alter default privileges in schema public revoke all on functions from %I', v_role);
    execute format('alter default privileges in schema public revoke all on sequences from %I', v_role);
    execute format('revoke all on schema hub from %I', v_role);
  end loop;
end
$$;
