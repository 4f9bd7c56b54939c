import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { adminOf } from "../../http/auth.ts";
import { security } from "../../http/describe.ts";
import { problems } from "../../http/errors.ts";
import type { App, AppOptions } from "../../http/request.ts";
import { streamed } from "../../http/streamed.ts";
import { featuresOf } from "../features.ts";
import { tableDocument } from "./document.ts";
import { FORMATS } from "./exports.ts";
import { TABLE_NAMES, TABLES, type TableName } from "./tables.ts";

const TYPES = {
  ndjson: "application/x-ndjson; charset=utf-8",
  csv: "text/csv; charset=utf-8; header=present",
};

const moment = z
  .union(
    [z.iso.datetime({ offset: true }), z.iso.date()],
    "must be an instant such as 2026-11-21T18:00:00Z, or a day",
  )
  .optional();

/** Registers `GET /api/export`. Each request is in the audit. */
export function addExports(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/api/export",
    tags: ["Privacy"],
    summary: "Export a table",
    description:
      "With an admin key: the rows of a table in the order in which they were stored, streamed. One answer has a limited " +
      "number of rows, and the connection may break. So to get all rows, send the request again with `after`, the `cursor` of " +
      "the last whole line, until an answer has no rows. Secrets and their hashes are in no table.",
    security: security.key,
    request: {
      query: z.object({
        table: z.enum(TABLE_NAMES).openapi({ example: "messages" }),
        from: moment.openapi({
          type: "string",
          format: "date-time",
          description: "Rows stored at this instant or later.",
          example: "2026-11-01",
        }),
        to: moment.openapi({
          type: "string",
          format: "date-time",
          description:
            "Rows stored before this instant. Rows of the last minute may still be on their way into the table.",
          example: "2027-01-01",
        }),
        format: z.enum(FORMATS).default("ndjson").openapi({
          description:
            "`csv`: with a line of names. A text that a spreadsheet would take for a formula begins with `'`.",
        }),
        after: z
          .string()
          .max(400)
          .regex(/^[\w-]+$/, "must be a cursor of this hub")
          .optional()
          .openapi({ description: "The `cursor` of the last row that came; the rest must be the same." }),
      }),
    },
    responses: {
      200: {
        description: "The rows. The last column of each is its `cursor`.",
        content: {
          "application/x-ndjson": { schema: z.string().openapi({ description: "One JSON object a line." }) },
          "text/csv": { schema: z.string().openapi({ description: "RFC 4180, with a line of names." }) },
        },
      },
      ...problems("malformed", "unauthorized", "forbidden", "needs_database"),
    },
  });
  app.openapi(route, async (c) => {
    const actor = await adminOf(c.req.raw.headers, options.keys);
    const { table, format, from, to, after } = c.req.valid("query");
    const { exchange } = c.var;
    const hub = exchange.hub();
    const { exports } = featuresOf(hub);
    const query = {
      table,
      ...(from !== undefined && { from: new Date(from) }),
      ...(to !== undefined && { to: new Date(to) }),
    };
    const place = after === undefined ? undefined : placeIn(table, after);
    const first = await exports.page(query, place, { actor, now: hub.now(), format });
    const read = (next: string) => exports.page(query, next);
    const cursor = ({ cursor }: { cursor: string }) => cursorIn(table, cursor);
    const { body, ended } = streamed(tableDocument(format, TABLES[table].columns, first, read, cursor));
    void exchange.later(ended);
    return c.body(body, 200, {
      "Content-Type": TYPES[format],
      "Content-Disposition": `attachment; filename="${table}.${format}"`,
    }) as never;
  });
}

/** Whether a text is the key of a table's row. */
const KEYS: Readonly<Record<"threads" | "model_usage" | "other", (key: string) => boolean>> = {
  threads: (key) => !key.includes("\0"),
  model_usage: (key) =>
    isUuid(key.slice(0, 36)) && key[36] === "/" && z.iso.date().safeParse(key.slice(37)).success,
  other: isUuid,
};

function isUuid(text: string): boolean {
  return z.uuid().safeParse(text).success;
}

/** A row's cursor for callers: its table and its key. */
function cursorIn(table: TableName, key: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(`${table}:${key}`)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** The key that a cursor of this table names. Throws `malformed` for any other text. */
function placeIn(table: TableName, cursor: string): string {
  try {
    const bytes = atob(cursor.replaceAll("-", "+").replaceAll("_", "/"));
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Uint8Array.from(bytes, (c) => c.charCodeAt(0)),
    );
    const key = text.slice(table.length + 1);
    if (
      text.startsWith(`${table}:`) &&
      KEYS[table === "threads" || table === "model_usage" ? table : "other"](key)
    )
      return key;
  } catch {
    // No base64, or no UTF-8: refused below.
  }
  throw new HubError("malformed", "after: must be a cursor of this table");
}
