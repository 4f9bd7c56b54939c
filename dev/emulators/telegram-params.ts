import type { Fields } from "./fields.ts";
import type { OnNodeContext } from "./server.ts";
import { badRequest } from "./telegram-refusal.ts";

/** Reads a call's parameters as the Bot API does: from the query, a JSON object, a form or a multipart form. */
export async function readParams(c: OnNodeContext): Promise<Fields> {
  const query = c.req.url.includes("?") ? c.req.query() : {};
  if (c.req.method === "GET") return query;
  const type = c.req.header("content-type") ?? "";
  if (type.startsWith("application/json")) {
    const body = await c.req.text();
    if (body === "") return query;
    return { ...query, ...parseObject(body) };
  }
  if (type.startsWith("multipart/form-data") || type.startsWith("application/x-www-form-urlencoded"))
    return { ...query, ...(await c.req.parseBody()) };
  return query;
}

function parseObject(body: string): Fields {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null) return value as Fields;
  } catch {
    badRequest("can't parse JSON object");
  }
  badRequest("object expected");
}

/** A parameter that is an object or a list. In a form it is JSON text. */
export function structured<T>(params: Fields, name: string): T | undefined {
  const value = params[name];
  if (typeof value !== "string") return (value ?? undefined) as T | undefined;
  if (value === "") return undefined;
  try {
    return JSON.parse(value) as T;
  } catch {
    badRequest(`can't parse ${name} JSON object`);
  }
}
