import { cursorOf, type Row, toDelivery, toRecord } from "../../stores/rows.ts";
import type { SqlCall } from "../../stores/sql.ts";
import { toRow } from "../dispatches/sql.ts";
import type { Campaign, NewCampaign, Progress } from "./campaign.ts";
import type { Campaigns } from "./campaigns.ts";

/** `Campaigns` over functions of the database. `people` has the arguments of calls that may open sessions. */
export function sqlCampaigns(ask: SqlCall, people: Row): Campaigns {
  return {
    async create({ renderings, ...campaign }, by) {
      const row = await ask("hub_create_campaign", { ...campaign, ...by, renderings: toRows(renderings) });
      return { campaign: toRecord<Campaign>(row.campaign), replayed: row.replayed as boolean };
    },
    async steer(campaign_id, action, by) {
      return toRecord<Campaign>((await ask("hub_steer_campaign", { ...by, campaign_id, action })).campaign);
    },
    async get(campaign_id) {
      const { campaign, ...progress } = await ask("hub_campaign", { campaign_id });
      return { campaign: toRecord<Campaign>(campaign), progress: progress as unknown as Progress };
    },
    async list(after, limit) {
      const page = await ask("hub_campaigns", { limit, ...(after !== undefined && { after }) });
      return {
        campaigns: (page.campaigns as Row[]).map((row) => toRecord<Campaign>(row)),
        ...cursorOf(page),
      };
    },
    async run({ limit, horizonMs, batch }, now) {
      const row = await ask("hub_run_campaigns", {
        ...people,
        now,
        limit,
        horizon_ms: horizonMs,
        prepare: batch,
      });
      return {
        prepared: row.prepared as number,
        placed: row.placed as number,
        failed: row.failed as number,
        deliveries: (row.deliveries as Row[]).map(toDelivery),
        open: row.open as boolean,
      };
    },
  };
}

function toRows(renderings: NewCampaign["renderings"]): Row {
  return Object.fromEntries(
    Object.entries(renderings).map(([language, channels]) => [
      language,
      Object.fromEntries(Object.entries(channels).map(([name, one]) => [name, toRow(one)])),
    ]),
  );
}
