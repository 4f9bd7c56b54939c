import type { Row } from "../stores/rows.ts";
import type { SqlCall } from "../stores/sql.ts";
import { sqlCampaigns } from "./campaigns/sql.ts";
import { sqlConversations } from "./conversations/sql.ts";
import { sqlCustomers } from "./customers/sql.ts";
import { sqlDispatches } from "./dispatches/sql.ts";
import { sqlEndpoints } from "./endpoints/sql.ts";
import { sqlExports } from "./exports/sql.ts";
import type { Features } from "./features.ts";
import { sqlKnowledge } from "./knowledge/sql.ts";
import { sqlMedia } from "./media/sql.ts";
import { sqlMessageChanges } from "./message-changes/sql.ts";
import { sqlModelUsage } from "./model-usage/sql.ts";
import { sqlOptOuts } from "./opt-outs/sql.ts";
import { sqlOrders } from "./orders/sql.ts";
import { sqlReservations } from "./reservations/sql.ts";
import { sqlSearch } from "./search/sql.ts";
import { sqlSegments } from "./segments/sql.ts";
import { sqlStaff } from "./staff/sql.ts";
import { sqlStatistics } from "./statistics/sql.ts";
import { sqlTemplates } from "./templates/sql.ts";
import { sqlTraces } from "./trace/sql.ts";

/** The feature ports over functions of the database. `people` has the arguments of calls that may merge customers. */
export function sqlFeatures(ask: SqlCall, people: Row): Features {
  return {
    conversations: sqlConversations(ask, people),
    campaigns: sqlCampaigns(ask, people),
    customers: sqlCustomers(ask, people),
    dispatches: sqlDispatches(ask, people),
    endpoints: sqlEndpoints(ask),
    exports: sqlExports(ask),
    knowledge: sqlKnowledge(ask),
    media: sqlMedia(ask, people),
    messageChanges: sqlMessageChanges(ask, people),
    modelUsage: sqlModelUsage(ask),
    optOuts: sqlOptOuts(ask),
    orders: sqlOrders(ask, people),
    reservations: sqlReservations(ask, people),
    search: sqlSearch(ask, people),
    templates: sqlTemplates(ask),
    segments: sqlSegments(ask),
    staff: sqlStaff(ask),
    statistics: sqlStatistics(ask),
    traces: sqlTraces(ask),
  };
}
