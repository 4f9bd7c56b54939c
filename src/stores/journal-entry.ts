import { z } from "zod";
import type { JournalEntry, WaitingEntry } from "../outage/journal.ts";

/** The shape of identities, of a reference to a session, and of an address. */
const strings = z.record(z.string(), z.string());
const content = z.looseObject({ kind: z.string() });
const known = { channel: z.string(), external_id: z.string() };
const instant = z.coerce.date().optional();
const instants = { sent_at: instant, at: instant, window_closes_at: instant };

const event = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("message"),
    message: z.looseObject({
      ...known,
      ...instants,
      from: strings,
      address: strings,
      content,
      wakes: z.boolean(),
    }),
  }),
  z.object({ type: z.literal("echo"), echo: z.looseObject({ ...known, ...instants, to: strings, content }) }),
  z.object({
    type: z.literal("receipt"),
    receipt: z.looseObject({ ...known, ...instants, status: z.string() }),
  }),
  z.object({
    type: z.literal("edit"),
    edit: z.looseObject({
      ...known,
      ...instants,
      content: content.nullable(),
      address: strings.optional(),
    }),
  }),
  z.object({
    type: z.literal("identity_change"),
    change: z.looseObject({ ...instants, channel: z.string(), from: strings, to: strings }),
  }),
  z.object({
    type: z.literal("reachability"),
    reachability: z.looseObject({
      ...instants,
      channel: z.string(),
      who: strings,
      reachable: z.boolean(),
    }),
  }),
]);

const schema = z.object({ type: z.literal("receive"), at: z.coerce.date(), events: z.array(event) });

/**
 * Reads an entry from its stored text. A text without the shape of an entry gives no `entry`: the hub did not write it,
 * or another version of the hub did. The replay moves it to the quarantine at once, for the store would refuse it every
 * time.
 */
export function toWaiting(id: string, text: string): WaitingEntry {
  try {
    return { id, entry: schema.parse(JSON.parse(text)) as unknown as JournalEntry };
  } catch {
    return { id };
  }
}
