import { fields, row, type Schema } from "./schema.ts";
import { style } from "./style.ts";
import { escapeHtml, prose } from "./text.ts";

interface Body {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface Operation {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly Readonly<Record<string, unknown>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Body;
  readonly responses?: Readonly<Record<string, Body>>;
}

interface Scheme {
  readonly scheme?: string;
  readonly name?: string;
  readonly description?: string;
}

interface Entry {
  readonly id: string;
  readonly verb: string;
  readonly path: string;
  readonly operation: Operation;
}

const VERBS = ["get", "post", "put", "patch", "delete"];

const EXAMPLE = `# open an anonymous session; keep the session_token
curl -s $HUB/session/start -H 'content-type: application/json' -d '{"channel":"web"}'

# send a message and wait for the bot
curl -s "$HUB/webhooks/web?wait=10" -H "authorization: Bearer $TOKEN" \\
  -H 'content-type: application/json' -d '{"external_id":"1","text":"Hello"}'

# read all messages
curl -s $HUB/session/messages -H "authorization: Bearer $TOKEN"`;

/** The API description as one HTML page, without scripts, fonts or other files. */
export function page(document: object): string {
  const {
    info,
    tags = [],
    paths = {},
    components = {},
  } = document as {
    info: { title: string; version: string; description?: string };
    tags?: { name: string; description?: string }[];
    paths?: Record<string, Record<string, Operation>>;
    components?: { schemas?: Record<string, Schema>; securitySchemes?: Record<string, Scheme> };
  };
  const entries = Object.entries(paths).flatMap(([path, item]) =>
    VERBS.flatMap((verb) => {
      const operation = item[verb];
      return operation ? [{ id: `${verb}${path.replace(/[^a-z0-9]+/gi, "-")}`, verb, path, operation }] : [];
    }),
  );
  const groups = tags.map((tag) => ({
    ...tag,
    entries: entries.filter(({ operation }) => operation.tags?.[0] === tag.name),
  }));
  const schemas = Object.entries(components.schemas ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const schemes = Object.entries(components.securitySchemes ?? {});

  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(info.title)} API</title><style>${style}</style></head><body>
<nav><a href="#top"><strong>${escapeHtml(info.title)}</strong></a>
${groups.map((group) => `<h2>${escapeHtml(group.name)}</h2><ul>${group.entries.map(link).join("")}</ul>`).join("")}
<h2>Reference</h2><ul><li><a href="#credentials">Credentials</a></li>
${schemas.map(([name]) => `<li><a href="#${escapeHtml(name)}">${escapeHtml(name)}</a></li>`).join("")}
<li><a href="/openapi.json">openapi.json</a></li></ul></nav>
<main id="top"><h1>${escapeHtml(info.title)} <small>${escapeHtml(info.version)}</small></h1>
<p>${prose(info.description ?? "")}</p><pre>${escapeHtml(EXAMPLE)}</pre>
${groups.map((group) => `<h2>${escapeHtml(group.name)}</h2><p class="soft">${prose(group.description ?? "")}</p>${group.entries.map(operationOf).join("")}`).join("")}
<h2 id="credentials">Credentials</h2><div class="wide"><table>${schemes.map(schemeRow).join("")}</table></div>
<h2>Shapes</h2>${schemas.map(([name, schema]) => `<details id="${escapeHtml(name)}" open><summary><code>${escapeHtml(name)}</code></summary><div>${fields(schema)}</div></details>`).join("")}
</main></body></html>`;
}

function link({ id, verb, path }: Entry): string {
  return `<li><a href="#${id}"><b class="verb ${verb}">${verb.toUpperCase()}</b> ${escapeHtml(path)}</a></li>`;
}

function operationOf({ id, verb, path, operation }: Entry): string {
  const {
    summary = "",
    description = "",
    parameters = [],
    requestBody,
    responses = {},
    security = [],
  } = operation;
  const [success, ...others] = Object.entries(responses).sort(([a], [b]) => Number(a) - Number(b));
  return `<details id="${id}" open><summary><b class="verb ${verb}">${verb.toUpperCase()}</b><code>${escapeHtml(path)}</code>
<span class="soft">${escapeHtml(summary)}</span></summary><div>
<p>${prose(description)}</p>${credentials(security)}
${parameters.length > 0 ? `<h4>Parameters</h4><div class="wide"><table>${parameters.map(parameterRow).join("")}</table></div>` : ""}
${requestBody ? `<h4>Body</h4>${content(requestBody)}` : ""}
${success ? `<h4>Answer ${escapeHtml(success[0])}</h4><p>${prose(success[1].description ?? "")}</p>${content(success[1])}` : ""}
${others.length > 0 ? `<h4>Errors</h4><div class="wide"><table>${others.map(errorRow).join("")}</table></div>` : ""}
</div></details>`;
}

function credentials(security: NonNullable<Operation["security"]>): string {
  if (security.length === 0) return "";
  const ways = [...new Set(security.map((way) => Object.keys(way).join(" and ")))];
  const shown = ways.map((way) => (way ? `<a href="#credentials">${escapeHtml(way)}</a>` : "nothing"));
  return `<p class="soft">Needs ${shown.join(" or ")}.</p>`;
}

function parameterRow({ name, in: place, required, description, schema = {} }: Parameter): string {
  const said = [`in ${place === "path" ? "the path" : place}`, description ?? schema.description].filter(
    Boolean,
  );
  return row(name, { ...schema, description: said.join(". ") }, required ?? false);
}

function content({ content = {} }: Body): string {
  return Object.entries(content)
    .map(([type, { schema = {} }]) =>
      type === "application/json" ? fields(schema) : `<p><code>${escapeHtml(type)}</code></p>`,
    )
    .join("");
}

function errorRow([status, { description = "" }]: [string, Body]): string {
  return `<tr><th>${escapeHtml(status)}</th><td>${prose(description)}</td></tr>`;
}

function schemeRow([name, { scheme, name: header, description = "" }]: [string, Scheme]): string {
  const how = header ?? `Authorization: ${scheme === "bearer" ? "Bearer …" : scheme}`;
  return `<tr><th>${escapeHtml(name)}</th><td><code>${escapeHtml(how)}</code></td><td>${prose(description)}</td></tr>`;
}
