import type { TestHub } from "./http.ts";

/** One operation of the API description. */
export interface Operation {
  readonly method: string;
  /** The path, with `{names}` in the place of ids. */
  readonly path: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  /** The schema of its body: JSON, or bytes. */
  readonly body?: Schema;
  /** The alternative credentials, each as a list of schemes. */
  readonly security: readonly string[];
}

export type Schema = Readonly<Record<string, any>>;

/** The API description of a hub, with every reference resolved. */
export async function operationsOf(hub: TestHub): Promise<Operation[]> {
  const document = (await (await hub.request("/openapi.json")).json()) as any;
  const resolved = resolve(document.paths, document.components.schemas);
  return Object.entries<any>(resolved as object).flatMap(([path, item]) =>
    Object.entries<any>(item).map(([verb, operation]) => ({
      method: verb.toUpperCase(),
      path,
      parameters: operation.parameters ?? [],
      ...(operation.requestBody && { body: Object.values<any>(operation.requestBody.content)[0].schema }),
      security: (operation.security ?? []).flatMap((way: object) => Object.keys(way)),
    })),
  );
}

/** A value that the schema allows. Properties in `named` get the given values. */
export function sample(schema: Schema, named: Readonly<Record<string, unknown>>, pick = 0): unknown {
  const options = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (options) return sample(options[pick % options.length], named, pick);
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[pick % schema.enum.length];
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  switch (type) {
    case "object":
      return Object.fromEntries(
        Object.entries<Schema>(schema.properties ?? {}).map(([name, part]) => [
          name,
          name in named && part.enum?.length !== 1 ? named[name] : sample(part, named, pick),
        ]),
      );
    case "array":
      return schema.items ? [sample(schema.items, named, pick)] : [];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      if (schema.format === "uuid") return "00000000-0000-4000-8000-000000000000";
      if (schema.format === "date-time") return "2026-11-02T10:00:00Z";
      return "text";
  }
}

/** The path with the given values for its ids and query parameters. */
export function addressOf(operation: Operation, named: Readonly<Record<string, unknown>>): string {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) =>
    encodeURIComponent(String(named[name] ?? name).toWellFormed()),
  );
  const query = new URLSearchParams();
  for (const { name, in: place } of operation.parameters)
    if (place === "query" && name in named) query.set(name, String(named[name]));
  return query.size > 0 ? `${path}?${query}` : path;
}

function resolve(value: unknown, schemas: Record<string, unknown>, depth = 0): unknown {
  if (Array.isArray(value)) return value.map((item) => resolve(item, schemas, depth));
  if (value === null || typeof value !== "object") return value;
  const { $ref } = value as { $ref?: string };
  if ($ref) return depth > 8 ? {} : resolve(schemas[$ref.split("/").at(-1)!], schemas, depth + 1);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolve(item, schemas, depth)]));
}
