import { HubError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";
import { readBody } from "./body.ts";
import { unknownNames } from "./errors.ts";
import type { App, HttpContext } from "./request.ts";

/** How many bytes of an unexpected body are read, to name its fields. */
const LONGEST = 4_096;

type Register = App["openapi"];
type Route = Parameters<Register>[0];

/**
 * Makes every route of the app refuse unknown query parameters, and a body if it takes none. A caller could not see
 * that an unknown filter or field was ignored. The webhooks of platforms are exempt, because platforms may add fields
 * at any time and no message may be lost then.
 */
export function refuseUnknown(app: App): void {
  const register = app.openapi;
  app.openapi = ((route: Route, handler: never, hook: never) => {
    const middleware = [route.middleware ?? []].flat();
    const checks = isPlatforms(route) ? [] : [onlyKnown(route)];
    return register({ ...route, middleware: [...checks, ...middleware] }, handler, hook);
  }) as Register;
}

function onlyKnown({ method, request }: Route) {
  const shape = (request?.query as { shape?: object } | undefined)?.shape ?? {};
  const takesNoBody = method !== "get" && !request?.body;
  return async (c: HttpContext, next: () => Promise<void>) => {
    const unknown = [...new URL(c.req.url).searchParams.keys()].filter((name) => !Object.hasOwn(shape, name));
    if (unknown.length > 0) throw new HubError("malformed", unknownNames("query", "parameter", unknown));
    if (takesNoBody) await refuseBody(c.req.raw);
    await next();
  };
}

/** Lets an empty body and an empty object through. */
async function refuseBody(request: Request): Promise<void> {
  const bytes = await readBody(request, LONGEST);
  if (bytes.byteLength === 0) return;
  const value = parseJson(bytes);
  const names = typeof value === "object" && value !== null ? Object.keys(value) : ["body"];
  if (names.length > 0) throw new HubError("malformed", unknownNames("body", "field", names));
}

function isPlatforms({ path, security = [] }: Route): boolean {
  return path === "/webhooks/{channel}" || security.some((way) => "platform" in way);
}
