import { toHubError } from "../../core/errors.ts";
import type { Backlog, JournaledEvent } from "../../core/receive/journal.ts";
import type { Store } from "../../core/store.ts";
import { featuresOf } from "../features.ts";
import { type Step, timelineOf } from "./timeline.ts";
import type { TraceFacts, TraceOf } from "./trace.ts";
import { verdictOf } from "./words.ts";

/** A timeline, and what it says in one sentence. */
export interface Trace {
  readonly found: TraceFacts["found"];
  readonly customer_key: string | null;
  readonly verdict: string;
  readonly steps: readonly Step[];
  readonly journal: "ok" | "unreachable" | "none";
  readonly cursor: string | null;
}

/**
 * Traces a customer, a session or a message, in the database and in the journal. A journal that does not answer is named in the
 * trace. Throws `needs_database` and `unavailable`.
 */
export async function traced(
  store: TracedStore,
  of: TraceOf,
  after: string | undefined,
  limit: number,
  now: Date,
): Promise<Trace> {
  const facts = await tracesOf(store).trace(of, after, limit);
  const { journal, events } = after === undefined ? await inJournal(store, of, facts) : NONE;
  const [first] = events;
  return {
    found: facts.found,
    customer_key: facts.customer?.customer_key ?? null,
    verdict:
      first && facts.messages.length === 0
        ? timelineOf(EMPTY, [first], now)[0]!.words
        : verdictOf(facts, now),
    steps: timelineOf(facts, events, now),
    journal,
    cursor: facts.after ?? null,
  };
}

/** What a trace reads. */
export type TracedStore = Pick<Store, "features"> & { readonly journal?: Pick<Backlog, "find"> };

function tracesOf(store: TracedStore) {
  return featuresOf({ store }).traces;
}

const NONE = { journal: "none" as const, events: [] };
const EMPTY: TraceFacts = { found: null, sessions: [], messages: [], audit: [] };

async function inJournal(
  { journal }: TracedStore,
  of: TraceOf,
  { sessions }: TraceFacts,
): Promise<{ journal: Trace["journal"]; events: readonly JournaledEvent[] }> {
  if (!journal) return NONE;
  const query = {
    identities: "identities" in of ? Object.values(of.identities).filter((value) => value !== undefined) : [],
    session_ids: "message" in of ? [] : sessions.map(({ session_id }) => session_id),
    ...("message" in of && { external_id: of.message }),
  };
  try {
    return { journal: "ok", events: await journal.find(query) };
  } catch (thrown) {
    if (toHubError(thrown).code !== "unavailable") throw thrown;
    return { journal: "unreachable", events: [] };
  }
}
