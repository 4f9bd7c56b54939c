import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";

/** A JSON object that a client stores in its session. */
export const documentSchema = z.record(z.string(), z.unknown());

/**
 * `data`, `metadata` or `attributes` from a client, without the hub's own `data.channels`. Throws `payload_too_large` past
 * `limit` bytes.
 */
export function clientDocument(
  name: "data" | "metadata" | "attributes",
  given: object,
  limit: number,
): JsonObject {
  if (new TextEncoder().encode(JSON.stringify(given)).byteLength > limit)
    throw new HubError("payload_too_large", `${name} is larger than ${limit} bytes`);
  return name === "data" ? withoutChannels(given as JsonObject) : (given as JsonObject);
}

/** Removes `data.channels`: the hub adds this copy for older frontends, which send it back. */
function withoutChannels({ channels: _, ...rest }: JsonObject): JsonObject {
  return rest;
}
