import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import openapi, { astToString } from "openapi-typescript";
import worker from "../../src/worker.ts";

/** The operations that the client calls. The types of others would only make this file change more often. */
const CALLED: Readonly<Record<string, string>> = {
  "/session/start": "post",
  "/session/restore": "post",
  "/session/update": "post",
  "/session/end": "post",
  "/session/signout": "post",
  "/session/messages": "get",
  "/session/verify": "post",
  "/session/link": "post",
  "/auth/login": "post",
  "/api/sessions/{id}/rate": "post",
  "/webhooks/web": "post",
  "/api/media": "post",
};
/** Schemas that no successful answer refers to. */
const NAMED = ["LiveFrame", "Error"];
const HEADER =
  "// Generated from the hub's API description by `npm run types -w clients/js`. Do not edit.\n\n";

/** The file of generated types. */
export const TYPES = join(import.meta.dirname, "src/api.ts");

interface Operation {
  readonly parameters?: unknown;
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, unknown>>;
}
type Schemas = Readonly<Record<string, unknown>>;

/** The types of the client's calls as TypeScript, from the API description of the hub beside it. */
export async function typesOfApi(): Promise<string> {
  const description = await described();
  const paths = Object.fromEntries(
    Object.entries(CALLED).map(([path, method]) => {
      const operation = description.paths[path]?.[method];
      if (!operation) throw new Error(`the hub has no ${method} ${path}`);
      return [path, { [method]: inShort(operation) }];
    }),
  );
  const roots = NAMED.map((name) => ({ $ref: `#/components/schemas/${name}` }));
  const named = namedIn([paths, roots], description.components.schemas);
  const schemas = Object.fromEntries(
    [...named].sort().map((name) => [name, description.components.schemas[name]]),
  );
  const document = { ...description, paths, components: { schemas } };
  return HEADER + astToString(await openapi(document as never));
}

/** An operation without its text and its error answers, which are all of one type. */
function inShort({ parameters, requestBody, responses }: Operation) {
  const fine = Object.entries(responses).filter(([status]) => status.startsWith("2"));
  return { parameters, requestBody, responses: Object.fromEntries(fine) };
}

async function described(): Promise<{
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Schemas };
}> {
  const request = new Request("http://hub.example/openapi.json");
  const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
  const answer = await worker.fetch(request as never, { ENVIRONMENT: "development" }, context as never);
  if (!answer.ok) throw new Error(`the API description: ${answer.status}`);
  return (await answer.json()) as never;
}

/** The names of the schemas that a part of the description refers to, directly or not. */
function namedIn(part: unknown, schemas: Schemas, found = new Set<string>()): Set<string> {
  if (Array.isArray(part)) for (const item of part) namedIn(item, schemas, found);
  else if (part !== null && typeof part === "object")
    for (const [key, value] of Object.entries(part)) {
      const name = key === "$ref" ? String(value).split("/").at(-1)! : undefined;
      if (name === undefined) namedIn(value, schemas, found);
      else if (!found.has(name)) namedIn(schemas[name], schemas, found.add(name));
    }
  return found;
}

if (import.meta.main) {
  const types = await typesOfApi();
  if ((await readFile(TYPES, "utf8").catch(() => "")) !== types) await writeFile(TYPES, types);
}
