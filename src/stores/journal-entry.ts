import { z } from "zod";
import type { JournalEntry, WaitingEntry } from "../outage/journal.ts";

/** Identities, a reference to a session, or an address. */
const strings = z.record(z.string(), z.string());
const content = z.looseObject({ kind: z.string() });
const known = { channel: z.string(), external_id: z.string() };
const instants = { sent_at: z.coerce.date().optional(), at: z.coerce.date().optional() };

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
 * An entry from its stored text. One that was never ours, or that another version of the hub wrote in another shape, has
 * no `entry`: whoever replays moves it to the quarantine at once, before it fails the store again and again.
 */
export function toWaiting(id: string, text: string): WaitingEntry {
  try {
    return { id, entry: schema.parse(JSON.parse(text)) as unknown as JournalEntry };
  } catch {
    return { id };
  }
}
