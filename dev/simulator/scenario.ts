import { z } from "zod";
import { actSchema } from "./act.ts";

/** What one device got from the hub after a step, without what differs from run to run: numbers, ids and times. */
export const shownSchema = z.strictObject({
  device: z.enum(["telegram", "whatsapp", "kiosk", "web"]),
  kind: z.string(),
  text: z.string().optional(),
});

/** A recorded walk through the devices. Each step is an act and what the devices showed after it. */
export const scenarioSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "must be small letters, digits and -"),
  title: z.string().min(1).max(200),
  /** The name of the customer who plays it. */
  customer: z.string().min(1).max(60).default("Ana"),
  steps: z
    .array(
      z.strictObject({
        /** What a page that plays it says meanwhile. */
        say: z.string().max(500).optional(),
        act: actSchema,
        shows: z.array(shownSchema).default([]),
      }),
    )
    .min(1)
    .max(500),
  /** The person's sessions at the end, the oldest first. */
  ends: z
    .strictObject({
      sessions: z.array(
        z.strictObject({ status: z.string(), channels: z.array(z.string()), messages: z.int().optional() }),
      ),
    })
    .optional(),
});

export type Scenario = z.infer<typeof scenarioSchema>;
export type Shown = z.infer<typeof shownSchema>;
