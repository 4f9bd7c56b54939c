import { z } from "zod";
import type { PlatformTemplate, TemplateSource } from "../../core/content/template.ts";
import { HubError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { optionalText } from "./fields.ts";
import { type Api, getJson } from "./send/api.ts";

/** The most pages of a hundred: an account may have 6,000 templates. */
const PAGES = 60;

const pageSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      language: z.string(),
      status: z.string(),
      category: z.string(),
      parameter_format: optionalText,
      rejected_reason: optionalText,
      components: z.array(z.record(z.string(), z.unknown())).default([]),
    }),
  ),
  paging: z.object({ cursors: z.object({ after: optionalText }).optional(), next: optionalText }).optional(),
});

/**
 * Reads the templates of a business account.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-management
 */
export function templatesOf(api: Api, account: string): TemplateSource {
  return {
    account,
    async list(signal) {
      const found: PlatformTemplate[] = [];
      let after: string | undefined;
      for (let page = 0; page < PAGES; page++) {
        const query = new URLSearchParams({ fields: FIELDS, limit: "100", ...(after && { after }) });
        const answer = await getJson(api, `${account}/message_templates?${query}`, signal);
        const read = pageSchema.safeParse(answer).data;
        if (!read)
          throw new HubError("unavailable", "the list of templates cannot be read", { reason: "unreadable" });
        for (const { id, rejected_reason, components, parameter_format, ...one } of read.data)
          found.push({
            ...one,
            template_id: id,
            category: one.category.toLowerCase(),
            ...(parameter_format === "NAMED" && { named: true }),
            ...(rejected_reason && rejected_reason !== "NONE" && { reason: rejected_reason.slice(0, 200) }),
            components: components as JsonObject[],
          });
        after = read.paging?.next && read.paging.cursors?.after;
        if (!after) break;
      }
      return found;
    },
  };
}

const FIELDS = "id,name,language,status,category,parameter_format,rejected_reason,components";
