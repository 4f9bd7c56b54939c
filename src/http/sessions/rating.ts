import { z } from "@hono/zod-openapi";

/** A rating, as fields of a body. */
export const ratingFields = {
  rating: z.int().min(1).max(5).openapi({ example: 5 }),
  feedback: z.string().max(4_096).openapi({ example: "Quick and friendly" }),
};
