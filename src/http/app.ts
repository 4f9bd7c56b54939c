import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import { secureHeaders } from "hono/secure-headers";
import { HubError, toHubError } from "../core/errors.ts";
import { withTimeout } from "../core/timeout.ts";
import { addCampaigns } from "../features/campaigns/routes.ts";
import { addConversations } from "../features/conversations/routes.ts";
import { addCustomers } from "../features/customers/routes.ts";
import { addDispatches } from "../features/dispatches/routes.ts";
import { drainSoon } from "../features/endpoints/drain.ts";
import { addEndpoints } from "../features/endpoints/routes.ts";
import { addExports } from "../features/exports/routes.ts";
import { addKnowledge } from "../features/knowledge/routes.ts";
import { mediaLimitMs } from "../features/media/limits.ts";
import { addMedia } from "../features/media/routes.ts";
import { addUploads } from "../features/media/upload-routes.ts";
import { addMessageChanges } from "../features/message-changes/routes.ts";
import { addOptOuts } from "../features/opt-outs/routes.ts";
import { addOrders } from "../features/orders/routes.ts";
import { addPrivacy } from "../features/privacy/routes.ts";
import { addReservations } from "../features/reservations/routes.ts";
import { indexSoon } from "../features/search/index-messages.ts";
import { addSearch } from "../features/search/routes.ts";
import { addSegments } from "../features/segments/routes.ts";
import { addStaff } from "../features/staff/routes.ts";
import { addStatistics } from "../features/statistics/routes.ts";
import { addTemplates } from "../features/templates/routes.ts";
import { addThreads } from "../features/threads/routes.ts";
import { addTrace } from "../features/trace/routes.ts";
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
import { addPageConfig } from "./page-config.ts";
import { addPreview } from "./preview.ts";
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
import { rememberingRouter } from "./router.ts";
import { addEnd } from "./sessions/end.ts";
import { addFind } from "./sessions/find.ts";
import { addRate } from "./sessions/rate.ts";
import { addRestore } from "./sessions/restore.ts";
import { addSetLanguage } from "./sessions/set-language.ts";
import { addStart } from "./sessions/start.ts";
import { addUpdate } from "./sessions/update.ts";
import { refuseUnknown } from "./strict.ts";
import { addCallerWebhooks, addPlatformWebhooks } from "./webhooks.ts";

/** Builds the hub's HTTP app: every route, the checks before it and the error answers. */
export function createApp(options: AppOptions): App {
  const app: App = new OpenAPIHono<HttpEnv>({ defaultHook: refuseInvalid, router: rememberingRouter() });
  app.onError(onError);
  app.notFound(onNotFound);
  app.use(observe(options));
  app.use(
    secureHeaders({
      // A route's own headers stay: a file is for pages of other origins too.
      overwrite: false,
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
    unlessPlatform(
      options,
      cors({
        origin: options.corsOrigins.includes("*") ? "*" : allowed(options),
        allowMethods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
        allowHeaders: [
          "Authorization",
          "Content-Type",
          "Idempotency-Key",
          "If-Match",
          "Range",
          "X-API-Key",
          "X-Request-Id",
          "X-Session-Token",
        ],
        exposeHeaders: ["Content-Disposition", "Content-Range", "ETag", "Retry-After", "X-Request-Id"],
        maxAge: 86_400,
      }),
    ),
  );
  app.use(methodNotAllowed({ app, onMethodNotAllowed }));
  app.use(guard(options));
  app.use(limitRate(options));
  refuseUnknown(app);
  app.use(drainSoon());
  const indexing = indexSoon();
  for (const path of ["/webhooks/*", "/session/update"]) app.use(path, indexing);

  addStart(app, options);
  addRestore(app, options);
  addUpdate(app, options);
  addSetLanguage(app, options);
  addEnd(app, options);
  addRate(app, options);
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
  addCustomers(app, options);
  addStaff(app, options);
  addConversations(app, options);
  addReservations(app, options);
  addOrders(app, options);
  addThreads(app, options);
  addSearch(app, options);
  addCampaigns(app, options);
  addDispatches(app, options);
  addOptOuts(app, options);
  addEndpoints(app, options);
  addStatistics(app, options);
  addSegments(app, options);
  addExports(app, options);
  addKnowledge(app, options);
  addMedia(app, options);
  addUploads(app, options);
  addPreview(app, options);
  addTemplates(app, options);
  addMessageChanges(app, options);
  addDeadLetters(app, options);
  addTrace(app, options);
  addPageConfig(app, options);
  addHealth(app, options);
  addMetrics(app, options);
  addDocs(app, options);
  return app;
}

/** Returns the origin if its pages may read the answer. Otherwise returns null and logs the refused origin. */
function allowed(options: AppOptions) {
  const logRefused = refusedOriginsLog(options);
  return (origin: string, c: Context) => {
    if (isAllowedOrigin(options, origin, c.req.url)) return origin;
    if (origin !== "") logRefused(c, origin);
    return null;
  };
}

/** Gives the request an id, writes its one log line, and closes the hub that it opened. */
function observe(options: AppOptions) {
  return async (c: HttpContext, next: () => Promise<void>) => {
    const started = Date.now();
    const { exchange, settle } = exchangeOf(options, c);
    c.set("exchange", exchange);
    await next();
    // Nobody reads the body of an answer to HEAD, so a streamed one would never end by itself.
    if (c.req.method === "HEAD") await c.res.body?.cancel();
    // Set on the response itself: `c.header` would make another response of it.
    const { headers, status } = c.res;
    headers.set("X-Request-Id", exchange.id);
    if (!headers.has("Cache-Control")) headers.set("Cache-Control", "no-store");
    options.log(status === 501 || status === 503 ? "warn" : status >= 500 ? "error" : "info", "request", {
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

/** Skips a middleware for the webhooks of platforms: no browser calls them, and they are most of the traffic. */
function unlessPlatform(
  { channels, postedWith }: AppOptions,
  middleware: MiddlewareHandler,
): MiddlewareHandler {
  const paths = new Set(
    channels.filter((name) => !Object.hasOwn(postedWith, name)).map((name) => `/webhooks/${name}`),
  );
  return (c, next) => (c.req.method === "POST" && paths.has(c.req.path) ? next() : middleware(c, next));
}

/**
 * The text about wrong settings. Only admin keys see which settings are missing, because it shows how the hub is built.
 */
async function whyFor(c: HttpContext, options: AppOptions, problems: string): Promise<string> {
  if (await isAdmin(c.req.raw.headers, options.keys)) return problems;
  return "this hub is not configured yet; its log says what is missing, and so does an admin key";
}

/** Refuses every route but `/health` while settings are wrong or missing, and limits the time of every answer. */
function guard(options: AppOptions) {
  const { requestMs } = boundsOf(options);
  /** The routes with the query parameter `wait`. Their time limit is longer by that many seconds. */
  const mayWait = [
    "/session/messages",
    "/api/conversations/changes",
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
      const isFile = c.req.path.startsWith("/api/media");
      const limitMs = isFile ? mediaLimitMs(c.req.method) : requestMs + wait * 1_000;
      await withTimeout(limitMs, "request_timeout", () => next());
    } catch (error) {
      throw toHubError(error);
    }
  };
}
