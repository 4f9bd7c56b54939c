import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import { HubError, toHubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import { addPrivacy } from "../features/privacy/routes.ts";
import { indexSoon } from "../features/search/index-messages.ts";
import { addSearch } from "../features/search/routes.ts";
import { isAdmin } from "./auth.ts";
import { addDeadLetters } from "./dead-letters.ts";
import { addDocs } from "./docs.ts";
import { onError, onMethodNotAllowed, onNotFound, refuseInvalid } from "./errors.ts";
import { addHealth } from "./health.ts";
import { addDevices } from "./identity/devices.ts";
import { addLink } from "./identity/link.ts";
import { addPasswords } from "./identity/passwords.ts";
import { addUnlink } from "./identity/unlink.ts";
import { addVerify } from "./identity/verify.ts";
import { addLive } from "./live/route.ts";
import { addMessages } from "./messages.ts";
import { addMetrics } from "./metrics.ts";
import { isAllowedOrigin, refusedOriginsLog } from "./origins.ts";
import { limitRate } from "./rate-limits.ts";
import {
  type App,
  type AppOptions,
  boundsOf,
  CHANNEL_ALIASES,
  exchangeOf,
  type HttpContext,
  type HttpEnv,
  LONGEST_WAIT_S,
} from "./request.ts";
import { addEnd } from "./sessions/end.ts";
import { addFind } from "./sessions/find.ts";
import { addRestore } from "./sessions/restore.ts";
import { addStart } from "./sessions/start.ts";
import { addUpdate } from "./sessions/update.ts";
import { refuseUnknown } from "./strict.ts";
import { addCallerWebhooks, addPlatformWebhooks } from "./webhooks.ts";

/** The hub's HTTP side: every route, the way to it and the errors behind it. */
export function createApp(options: AppOptions): App {
  const app: App = new OpenAPIHono<HttpEnv>({ defaultHook: refuseInvalid });
  app.onError(onError);
  app.notFound(onNotFound);
  app.use(observe(options));
  app.use(
    secureHeaders({
      xFrameOptions: "DENY",
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: ["'unsafe-inline'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  app.use(
    cors({
      origin: options.corsOrigins.includes("*") ? "*" : allowed(options),
      allowMethods: ["GET", "POST", "DELETE"],
      allowHeaders: [
        "Authorization",
        "Content-Type",
        "If-Match",
        "X-API-Key",
        "X-Request-Id",
        "X-Session-Token",
      ],
      exposeHeaders: ["ETag", "Retry-After", "X-Request-Id"],
      maxAge: 86_400,
    }),
  );
  app.use(methodNotAllowed({ app, onMethodNotAllowed }));
  app.use(guard(options));
  app.use(limitRate(options));
  refuseUnknown(app);
  const indexing = indexSoon();
  for (const path of ["/webhooks/*", "/session/update"]) app.use(path, indexing);

  addStart(app, options);
  addRestore(app, options);
  addUpdate(app, options);
  addEnd(app, options);
  addVerify(app, options);
  addLink(app, options);
  addPasswords(app, options);
  addDevices(app, options);
  addUnlink(app, options);
  addMessages(app, options);
  addLive(app, options);
  addPlatformWebhooks(app, options);
  addCallerWebhooks(app, options);
  addFind(app, options);
  addPrivacy(app, options);
  addSearch(app, options);
  addDeadLetters(app, options);
  addHealth(app, options);
  addMetrics(app, options);
  addDocs(app, options);
  return app;
}

/** The origin itself where its pages may read the answer, else nothing, and a line for the operator. */
function allowed(options: AppOptions) {
  const logRefused = refusedOriginsLog(options);
  return (origin: string, c: Context) => {
    if (isAllowedOrigin(options, origin, c.req.url)) return origin;
    if (origin !== "") logRefused(c, origin);
    return null;
  };
}

/** Names the request, writes its one log line, and closes what it opened. */
function observe(options: AppOptions) {
  return async (c: HttpContext, next: () => Promise<void>) => {
    const started = Date.now();
    const { exchange, settle } = exchangeOf(options, c);
    c.set("exchange", exchange);
    await next();
    c.header("X-Request-Id", exchange.id);
    if (!c.res.headers.has("Cache-Control")) c.header("Cache-Control", "no-store");
    const { status } = c.res;
    options.log(status === 503 ? "warn" : status >= 500 ? "error" : "info", "request", {
      request_id: exchange.id,
      method: c.req.method,
      route: routePath(c, -1),
      status,
      duration_ms: Date.now() - started,
      ...exchange.facts,
    });
    settle();
  };
}

/** Which settings are missing is for operators: it tells what this hub is made of. */
async function whyFor(c: HttpContext, options: AppOptions, problems: string): Promise<string> {
  if (await isAdmin(c.req.raw.headers, options.keys)) return problems;
  return "this hub is not configured yet; its log says what is missing, and so does an admin key";
}

/** Serves nothing half configured, and answers in time whatever hangs. */
function guard(options: AppOptions) {
  const { requestMs } = boundsOf(options);
  /** The routes whose answers a caller may ask to be held. */
  const mayWait = [
    "/session/messages",
    ...Object.keys(options.postedWith).map((name) => `/webhooks/${name}`),
    ...Object.keys(CHANNEL_ALIASES).map((name) => `/webhooks/${name}`),
  ];
  return async (c: HttpContext, next: () => Promise<void>) => {
    if (options.misconfigured && c.req.path !== "/health")
      throw new HubError("misconfigured", await whyFor(c, options, options.misconfigured), {
        retryAfterMs: 60_000,
      });
    const asked = mayWait.includes(c.req.path.replace(/\/$/, "")) ? Number(c.req.query("wait")) : 0;
    const wait = Math.min(Math.max(asked || 0, 0), LONGEST_WAIT_S);
    try {
      await withTimeout(requestMs + wait * 1_000, "request_timeout", () => next());
    } catch (error) {
      throw toHubError(error);
    }
  };
}
