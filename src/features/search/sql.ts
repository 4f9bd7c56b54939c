import { HubError, toHubError } from "../../core/errors.ts";
import { cursorOf, type Row, toFoundMessage } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import type { Search, SearchQuery, Term } from "./search.ts";

/** `Search` over functions of the database. `kiosk_idle_ms` ends the tokens of idle kiosks. */
export function sqlSearch(ask: SqlCall, { kiosk_idle_ms }: Row): Search {
  return {
    async messages(query, after, limit, now) {
      const page = await asked(() =>
        ask("hub_search", { ...columns(query), now, kiosk_idle_ms, limit, ...(after && { after }) }),
      );
      return {
        results: (page.results as Row[]).map(toFoundMessage),
        terms: page.terms as Term[],
        ...cursorOf(page),
      };
    },
    async index(limit) {
      const { indexed, more } = await ask("hub_index_messages", { limit });
      return { indexed: indexed as number, more: more as boolean };
    },
    async lag() {
      const { waiting, lag_ms } = await ask("hub_search_lag", {});
      return { waiting: waiting as number, lag_ms: lag_ms as number };
    },
  };
}

function columns({ of, ...query }: SearchQuery): Row {
  return { ...of, ...query };
}

/** Adds texts to the database's refusals, which are codes only. */
async function asked(call: () => Promise<Row>): Promise<Row> {
  try {
    return await call();
  } catch (error) {
    const { code, details } = toHubError(error);
    if (code === "forbidden")
      throw new HubError(code, "session: not one of this token's customer", { cause: error });
    if (code === "malformed" && details?.reason === "cursor")
      throw new HubError(code, "after: must be a cursor of the same search", { cause: error });
    throw error;
  }
}
