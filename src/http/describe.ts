import type { z } from "@hono/zod-openapi";

/** A JSON answer for the API description. */
export function json<S extends z.ZodType>(description: string, schema: S) {
  return { description, content: { "application/json": { schema } } };
}

/** The ways to show credentials, as the API description names them. */
export const security = {
  token: [{ bearer: [] }, { sessionToken: [] }] as Record<string, string[]>[],
  key: [{ bearer: [] }, { apiKey: [] }] as Record<string, string[]>[],
  nobody: [{}] as Record<string, string[]>[],
};
