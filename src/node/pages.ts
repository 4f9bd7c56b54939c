import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { serveStatic } from "@hono/node-server/serve-static";
import { Hono } from "hono";
import { compress } from "hono/compress";
import { etag } from "hono/etag";

/** Answers a request for a file of the pages; undefined if it is for the hub. */
export type ServePages = (request: Request) => Promise<Response | undefined>;

/** One rule of the file `_headers`: the paths that begin so, or exactly this one, and their headers. */
interface Rule {
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * Serves the built pages as Cloudflare does: `/name` is `name.html`, and `_headers` names their headers. Undefined if the folder
 * holds no built pages.
 */
export function pagesOf(folder: string): ServePages | undefined {
  if (!existsSync(join(folder, "_headers"))) return undefined;
  const rules = rulesOf(readFileSync(join(folder, "_headers"), "utf8"));
  const app = new Hono();
  app.use(async (c, next) => {
    await next();
    if (!c.finalized || c.res.status === 404) return;
    c.header("Cache-Control", "public, max-age=0, must-revalidate");
    for (const { path, headers } of rules)
      if (matches(path, c.req.path)) for (const [name, value] of headers) c.header(name, value);
  });
  app.use(compress(), etag());
  app.get("/_headers", (c) => c.notFound());
  app.get("*", serveStatic({ root: folder, index: "", rewriteRequestPath: fileOf }));
  return async (request) => {
    if (request.method !== "GET" && request.method !== "HEAD") return undefined;
    const answer = await app.fetch(request);
    return answer.status === 404 ? undefined : answer;
  };
}

function fileOf(path: string): string {
  return /\.\w+$/.test(path) ? path : `${path}.html`;
}

function matches(rule: string, path: string): boolean {
  return rule.endsWith("*") ? path.startsWith(rule.slice(0, -1)) : path === rule;
}

/** Reads `_headers`: a path on a line of its own, then its headers, indented. */
function rulesOf(text: string): Rule[] {
  return text
    .split(/\n(?=\S)/)
    .map((block) => block.split("\n").filter((line) => line.trim() !== ""))
    .filter((lines) => lines.length > 0)
    .map(([path, ...lines]) => ({
      path: path!.trim(),
      headers: lines.map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
      }),
    }));
}
