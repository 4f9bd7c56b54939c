import type sqlDriver from "postgres";

/** The active sessions whose row says something else of their customer than the customer's own rows. */
export async function staleCopies(owner: sqlDriver.Sql): Promise<unknown[]> {
  return [
    ...(await owner`
      select s.session_id, s.customer, hub.shown_identities(s.customer_key) as known, s.unreachable, k.unreachable as blocked
      from public.sessions s left join public.customers k using (customer_key)
      where s.status = 'active'
        and (s.customer <> hub.shown_identities(s.customer_key) or s.unreachable is distinct from k.unreachable)`),
  ];
}
