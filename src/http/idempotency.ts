import { z } from "@hono/zod-openapi";
import type { HttpContext } from "./request.ts";

/** How long an answer is kept under its Idempotency-Key. */
export const IDEMPOTENCY_MS = 24 * 3_600_000;

/** The header of a call that may be sent again. */
export const idempotencyKey = z.object({
  "Idempotency-Key": z
    .string()
    .regex(/^[!-~]{1,255}$/, "must be 1 to 255 visible ASCII characters")
    .optional()
    .openapi({
      description:
        "For 24 hours the same key with the same body gets the first call's answer, with `Idempotent-Replayed: true`. With another " +
        "body it is 409 (`idempotency_conflict`). Keys of different API keys are apart.",
      example: "4fd2b5c9-booking",
    }),
});

/** Tells the caller that the answer is that of an earlier call. */
export function tellReplayed(c: HttpContext, replayed: boolean): void {
  if (replayed) c.header("Idempotent-Replayed", "true");
}
