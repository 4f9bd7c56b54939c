import { HubError } from "../core/errors.ts";
import type { Store } from "../core/store.ts";
import type { Campaigns } from "./campaigns/campaigns.ts";
import type { Conversations } from "./conversations/conversations.ts";
import type { Customers } from "./customers/customers.ts";
import type { Dispatches } from "./dispatches/dispatches.ts";
import type { Endpoints } from "./endpoints/endpoints.ts";
import type { Exports } from "./exports/exports.ts";
import type { Knowledge } from "./knowledge/knowledge.ts";
import type { Media } from "./media/media.ts";
import type { MessageChanges } from "./message-changes/message-changes.ts";
import type { ModelUsage } from "./model-usage/model-usage.ts";
import type { OptOuts } from "./opt-outs/opt-outs.ts";
import type { Orders } from "./orders/orders.ts";
import type { Reservations } from "./reservations/reservations.ts";
import type { Search } from "./search/search.ts";
import type { Segments } from "./segments/segments.ts";
import type { Staff } from "./staff/staff.ts";
import type { Statistics } from "./statistics/statistics.ts";
import type { Templates } from "./templates/templates.ts";
import type { Traces } from "./trace/trace.ts";

/** The ports that only a database store has, one for each domain. */
export interface Features {
  readonly conversations: Conversations;
  readonly campaigns: Campaigns;
  readonly customers: Customers;
  readonly dispatches: Dispatches;
  readonly endpoints: Endpoints;
  readonly exports: Exports;
  readonly knowledge: Knowledge;
  readonly media: Media;
  readonly messageChanges: MessageChanges;
  readonly modelUsage: ModelUsage;
  readonly optOuts: OptOuts;
  readonly orders: Orders;
  readonly reservations: Reservations;
  readonly search: Search;
  readonly templates: Templates;
  readonly segments: Segments;
  readonly staff: Staff;
  readonly statistics: Statistics;
  readonly traces: Traces;
}

/** The store's feature ports. Throws `needs_database` on the memory store. */
export function featuresOf({ store }: { readonly store: Pick<Store, "features"> }): Features {
  if (store.features) return store.features;
  throw new HubError("needs_database", "the memory store does not keep this: give the hub a database");
}
