import { cursorOf, type Row, toCustomer, toEffects } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { CustomerFields } from "./customer.ts";
import type { Customers, Duplicate, Saved, Writing } from "./customers.ts";

/** `Customers` over functions of the database. */
export function sqlCustomers(ask: SqlCall, people: Row): Customers {
  const save = async (how: string, id: string | undefined, fields: CustomerFields, writing: Writing) =>
    toSaved(await ask("hub_save_customer", { ...people, ...writing, how, id, fields }));
  return {
    async get(id) {
      return toCustomer((await ask("hub_get_customer", { id })).customer as Row);
    },
    async find(query, after, limit) {
      const page = await ask("hub_find_customers", { ...query, after, limit });
      return { items: (page.customers as Row[]).map(toCustomer), ...cursorOf(page) };
    },
    put: (id, fields, writing) => save("put", id, fields, writing),
    patch: (id, changes, writing) => save("patch", id, changes, writing),
    upsert: (fields, writing) => save("upsert", undefined, fields, writing),
    async merge(id, into, give_up, writing) {
      return toSaved(await ask("hub_merge_customers", { ...people, ...writing, id, into, give_up }));
    },
    async duplicates(after, limit) {
      const page = await ask("hub_duplicate_customers", { after, limit });
      return { items: (page.duplicates as Row[]).map(toDuplicate), ...cursorOf(page) };
    },
  };
}

function toSaved(row: Row): Saved {
  return {
    customer: toCustomer(row.customer as Row),
    created: row.created as boolean,
    ...(row.session_id != null && { session_id: row.session_id as string }),
    effects: toEffects(row),
  };
}

function toDuplicate({ customers, reasons }: Row): Duplicate {
  const [one, other] = (customers as Row[]).map(toCustomer);
  return { customers: [one!, other!], reasons: reasons as Duplicate["reasons"] };
}
