-- What the row of an active session repeats of its customer, so that a message finds it in the one row that it locks: customer,
-- as session documents show it, and unreachable. Triggers keep them in the transaction that changes the customer, which
-- holds the session's row anyway. What a session that is not active holds there is old, and nobody reads it.

-- Copies a customer to its active session.
create or replace function hub.copy_customer(p_customer uuid) returns void
language plpgsql volatile as $$
begin
  update public.sessions
    set customer = hub.shown_identities(p_customer),
        unreachable = coalesce((select unreachable from public.customers where customer_key = p_customer), '{}')
    where customer_key = p_customer and status = 'active';
end
$$;

create or replace function hub.copy_of_identity() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    perform hub.copy_customer(old.customer_key);
  end if;
  if tg_op <> 'DELETE' and (tg_op = 'INSERT' or new.customer_key <> old.customer_key) then
    perform hub.copy_customer(new.customer_key);
  end if;
  return null;
end
$$;

create or replace function hub.copy_of_customer() returns trigger
language plpgsql set search_path = '' as $$
begin
  perform hub.copy_customer(new.customer_key);
  return null;
end
$$;

create or replace function hub.copy_to_session() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.customer := hub.shown_identities(new.customer_key);
  new.unreachable := coalesce((select unreachable from public.customers where customer_key = new.customer_key), '{}');
  return new;
end
$$;

create or replace trigger identities_copy after insert or delete on public.identities
  for each row execute function hub.copy_of_identity();
create or replace trigger identities_copy_changed after update of customer_key, kind, value, verified_at on public.identities
  for each row when ((old.customer_key, old.kind, old.value, old.verified_at) is distinct from (new.customer_key, new.kind, new.value, new.verified_at))
  execute function hub.copy_of_identity();
create or replace trigger customers_copy after update of customer_id, unreachable on public.customers
  for each row when ((old.customer_id, old.unreachable) is distinct from (new.customer_id, new.unreachable))
  execute function hub.copy_of_customer();
create or replace trigger sessions_copy before insert or update of customer_key on public.sessions
  for each row execute function hub.copy_to_session();
