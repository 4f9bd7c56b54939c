import { z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";

/** A JSON object that a client keeps with its session. */
export const documentSchema = z.record(z.string(), z.unknown());

/** `data`, `metadata` or `attributes` as a client sent it, at most `limit` bytes of JSON. Throws `payload_too_large`. */
export function clientDocument(
  name: "data" | "metadata" | "attributes",
  given: object,
  limit: number,
): JsonObject {
  if (new TextEncoder().encode(JSON.stringify(given)).byteLength > limit)
    throw new HubError("payload_too_large", `${name} is larger than ${limit} bytes`);
  return name === "data" ? withoutChannels(given as JsonObject) : (given as JsonObject);
}

/** `data.channels` is the hub's copy for older frontends, which send it back. */
function withoutChannels({ channels: _, ...rest }: JsonObject): JsonObject {
  return rest;
}
