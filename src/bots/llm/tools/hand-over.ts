import { z } from "zod";
import { type Tool, toolOf } from "./tool.ts";

export const handOver: Tool = toolOf(
  "hand_over",
  "Hands the conversation over to a person of the shop.",
  z.strictObject({ reason: z.string().max(500).optional() }),
  async (_args, desk) => {
    // The model's own words are not kept: they may hold anything.
    desk.handoff = { reason: "asked" };
    return { result: "accepted; tell the customer in one sentence that a person will answer" };
  },
  true,
);
