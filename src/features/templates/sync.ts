import { failureOf, toHubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { TemplateUpdate } from "../../core/messages/message.ts";
import { withTimeout } from "../../core/timeout.ts";

/** How often all templates are read, in ms. An update of the platform asks for it at once. */
const EVERY_MS = 3_600_000;
const LIST_MS = 20_000;

/**
 * Reads the templates of every channel that has some, if they are due. Returns how many it has read. It logs failures instead of
 * throwing: the next hour tries again.
 */
export async function syncTemplates(hub: Hub): Promise<number> {
  const templates = hub.store.features?.templates;
  if (!templates) return 0;
  let read = 0;
  for (const [channel, { templates: source }] of Object.entries(hub.channels)) {
    if (!source) continue;
    const of = { channel, account: source.account };
    try {
      if (!(await templates.begin({ ...of, everyMs: EVERY_MS }, hub.now()))) continue;
      const found = await withTimeout(LIST_MS, "list_timeout", (signal) => source.list(signal));
      await templates.save(of, found, hub.now());
      read += found.length;
    } catch (thrown) {
      hub.log("warn", "templates.not_read", { channel, ...failureOf(toHubError(thrown)) });
    }
  }
  return read;
}

/** Applies what a platform says of templates, and writes one line for each that can no longer be sent. */
export async function applyTemplateUpdates(hub: Hub, updates: readonly TemplateUpdate[]): Promise<void> {
  for (const update of updates) {
    const { channel, name, language, status, reason } = update;
    if (status !== undefined && status !== "APPROVED")
      hub.log("warn", "template.status", { channel, name, language, status, ...(reason && { reason }) });
    await hub.store.features?.templates.update(update, hub.now());
  }
}
