import type postgres from "postgres";

/**
 * Makes a database like a new Supabase project: `postgres` owns it and is no superuser; the API roles exist and get all
 * rights in `public` by default; pgcrypto is in the schema `extensions`; DDL makes the REST API reload its schema. Runs
 * as the superuser `supabase_admin`, any number of times.
 * https://github.com/supabase/postgres/tree/develop/migrations/db
 */
export async function prepareDatabase(sql: postgres.Sql, password: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtext('supabase roles'))`;
    await tx.unsafe(roles(password)).simple();
    await tx.unsafe(defaults).simple();
  });
}

const roles = (password: string) => `
do $$
begin
  if exists (select from pg_roles where rolname = 'postgres') then
    return;
  end if;
  create role postgres login nosuperuser createdb createrole replication bypassrls password '${password}';
  create role anon nologin;
  create role authenticated nologin;
  create role service_role nologin bypassrls;
  create role authenticator login noinherit password '${password}';
  grant anon, authenticated, service_role to authenticator;
  grant anon, authenticated, service_role to postgres with admin option;
  grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;
end
$$;
`;

const defaults = `
do $$
begin
  execute format('alter database %I owner to postgres', current_database());
end
$$;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to anon, authenticated, service_role;

create schema if not exists extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
create extension if not exists pgcrypto schema extensions;

create or replace function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin
  notify pgrst, 'reload schema';
end
$$;
drop event trigger if exists pgrst_ddl_watch;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_ddl_watch();
drop event trigger if exists pgrst_drop_watch;
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_ddl_watch();
`;
