import { type Source, sha256Of } from "./files.ts";

/** The name under which `schema_migrations` keeps the hash of all functions together. */
export const FUNCTIONS = "functions";

/** One step of `applyFunctions`: a script, and the name of the file it comes from, if it comes from one. */
export interface Step {
  readonly file?: Source;
  readonly sql: string;
}

/** The hash of all function files, and of the steps around them: when it changes, they are applied again. */
export function functionsHash(files: readonly Source[]): string {
  return sha256Of([before, after, ...files.map(({ name, sha256 }) => `${name} ${sha256}`)].join("\n"));
}

/**
 * The scripts that bring a database's functions to what the files say; to be run in order, in one transaction. Functions
 * of the schema `hub` and functions `public.hub_*` that no file defines any more are dropped, and so are their triggers.
 * Bodies are checked when all functions are there, so the order of files does not matter.
 */
export function functionSteps(files: readonly Source[]): Step[] {
  return [{ sql: before }, ...files.map((file) => ({ file, sql: replacing(file) })), { sql: after }];
}

/** A dollar quote that the text does not end. */
export function quoted(sql: string): string {
  for (let n = 0; ; n += 1) {
    const tag = `$file${n || ""}$`;
    if (!sql.includes(tag)) return `${tag}\n${sql}\n${tag}`;
  }
}

/** Which functions are ours. */
const OURS = `(p.pronamespace = 'hub'::regnamespace or (p.pronamespace = 'public'::regnamespace and p.proname like 'hub\\_%'))
    and not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid and x.deptype = 'e')`;

const before = `
create schema if not exists hub;
set local check_function_bodies = off;
-- A replaced function has another xmin. What still has this one in the end is defined by no file.
select set_config('hub.functions_before', coalesce(jsonb_object_agg(p.oid::text, p.xmin::text), '{}')::text, true)
  from pg_proc p where ${OURS};
`;

/**
 * Runs a file. Postgres replaces no function whose return type, defaults or parameter names change; its hint says which
 * one to drop, and then the file runs again. A trigger of such a function goes with it: its file creates it again.
 */
function replacing({ sql }: Source): string {
  return `do $replace$
declare
  v_hint text;
  v_function text;
  v_trigger record;
begin
  loop
    begin
      execute ${quoted(sql)};
      exit;
    exception when invalid_function_definition then
      get stacked diagnostics v_hint = pg_exception_hint;
      v_function := substring(v_hint from 'DROP (?:FUNCTION|PROCEDURE) (.*\\))');
      if v_function is null or to_regprocedure(v_function) is null then
        raise;
      end if;
    end;
    for v_trigger in select tgname, tgrelid::regclass as of from pg_trigger where tgfoid = to_regprocedure(v_function) loop
      execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.of);
    end loop;
    execute 'drop function ' || v_function;
  end loop;
end
$replace$;`;
}

const after = `
do $drop$
declare
  v_before constant jsonb := current_setting('hub.functions_before')::jsonb;
  v_gone oid[];
  v_trigger record;
  v_left text;
begin
  select array_agg(p.oid order by p.oid) into v_gone from pg_proc p where v_before ->> p.oid::text = p.xmin::text;
  for v_trigger in select tgname, tgrelid::regclass as of from pg_trigger where tgfoid = any (v_gone) loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.of);
  end loop;
  select string_agg(u.oid::regprocedure::text, ', ' order by u.oid) into v_left from unnest(v_gone) as u (oid);
  if v_left is not null then
    execute 'drop routine ' || v_left;
  end if;
end
$drop$;

-- Now that all of them are there.
set local check_function_bodies = on;
do $check$
declare
  v record;
begin
  for v in
    select p.oid, p.oid::regprocedure as signature, l.lanvalidator::regproc as validator
    from pg_proc p join pg_language l on l.oid = p.prolang
    where l.lanname in ('sql', 'plpgsql') and ${OURS}
    order by 2
  loop
    begin
      execute format('select %s(%s)', v.validator, v.oid);
    exception when others then
      raise exception '%: %', v.signature, sqlerrm using errcode = sqlstate;
    end;
  end loop;
end
$check$;

-- Nobody calls a helper but the calls, which run as their owner; and only the service role calls a call.
do $close$
declare
  v_function regprocedure;
  v_role text;
begin
  revoke all on schema hub from public;
  for v_function in select p.oid from pg_proc p where ${OURS} loop
    execute format('revoke all on routine %s from public', v_function);
  end loop;
  for v_role in select rolname from pg_roles where rolname in ('anon', 'authenticated', 'service_role') loop
    execute format('revoke all on schema hub from %I', v_role);
    for v_function in select p.oid from pg_proc p where ${OURS} loop
      execute format('revoke all on routine %s from %I', v_function, v_role);
    end loop;
  end loop;
  if exists (select from pg_roles where rolname = 'service_role') then
    for v_function in
      select p.oid from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype and ${OURS}
    loop
      execute format('grant execute on routine %s to service_role', v_function);
    end loop;
  end if;
end
$close$;
`;
