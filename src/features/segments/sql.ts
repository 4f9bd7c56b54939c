import { type Row, toCustomer } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Member, Segments } from "./segments.ts";

/** `Segments` over functions of the database. */
export function sqlSegments(ask: SqlCall): Segments {
  return {
    async find(filter, after, limit) {
      const page = await ask("hub_segment", { filter, after, limit });
      return {
        members: (page.customers as Row[]).map(toMember),
        ...(page.count != null && { count: page.count as number }),
        ...(page.after != null && { after: page.after as string }),
      };
    },
  };
}

function toMember({ customer, channels, language, last_seen_at }: Row): Member {
  return {
    customer: toCustomer(customer as Row),
    channels: channels as string[],
    ...(language != null && { language: language as string }),
    ...(last_seen_at != null && { last_seen_at: new Date(last_seen_at as string) }),
  };
}
