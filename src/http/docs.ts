import { createRoute, z } from "@hono/zod-openapi";
import { json, security } from "./describe.ts";
import { page } from "./docs/page.ts";
import { problems } from "./errors.ts";
import type { App, AppOptions } from "./request.ts";

const SECURITY_SCHEMES = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "A session token (`hst_…`), or an API key.",
  },
  sessionToken: {
    type: "apiKey",
    in: "header",
    name: "X-Session-Token",
    description: "The token that `/session/start` gave this device.",
  },
  apiKey: {
    type: "apiKey",
    in: "header",
    name: "X-API-Key",
    description: "A kiosk, web, bot or admin key. The admin key opens what the others open.",
  },
  webSocketProtocol: {
    type: "apiKey",
    in: "header",
    name: "Sec-WebSocket-Protocol",
    description: "Two subprotocols: `hub.v1` and a session token.",
  },
  platform: {
    type: "apiKey",
    in: "header",
    name: "X-Hub-Signature-256",
    description:
      "Each platform signs its webhooks in its own way: WhatsApp by this header (`sha256=` and the HMAC-SHA256 of the " +
      "body's bytes under the app secret, in hex), Telegram by `X-Telegram-Bot-Api-Secret-Token`.",
  },
} as const;

const TAGS = [
  { name: "Sessions", description: "One customer's window of talk, shared by all channels." },
  { name: "Identity", description: "How people prove who they are, and take that back." },
  { name: "Messages", description: "The messages of a session, on every channel, in order." },
  { name: "Media", description: "The files of messages, from their platforms, and uploads." },
  { name: "Webhooks", description: "Where platforms, kiosks and web pages post messages." },
  { name: "Customers", description: "The customers of the shop, for its back office." },
  { name: "Reservations", description: "Tables that customers have reserved, and their calendar." },
  { name: "Orders", description: "Orders as the shop and its bot record them." },
  { name: "Threads", description: "Memory for bots and tools, under ids of their own." },
  { name: "Search", description: "Messages found by their words." },
  { name: "Events", description: "What happens here, posted to the shop's own programs." },
  {
    name: "Statistics",
    description: "What happened when, and which customers are alike, for a back office.",
  },
  { name: "Knowledge", description: "The shop's documents, from which its bot answers." },
  { name: "Privacy", description: "A customer's data: export, erasure, the audit." },
  { name: "Operation", description: "Running and describing the hub." },
];

const INFO = {
  title: "Session hub",
  description:
    "One customer, one session, on Telegram, WhatsApp, kiosk and web. JSON in and out. Every error is " +
    '`{"error":{"code","message","request_id"}}`; act on `code`, which is stable. A 503 carries `Retry-After`: nothing ' +
    "was saved, send it again. Every answer has an `X-Request-Id`, which names the request in the logs.",
  license: { name: "MIT", identifier: "MIT" },
};

/** Registers the API description, as OpenAPI and as a page. It is made from the schemas that check the requests. */
export function addDocs(app: App, options: AppOptions): void {
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES))
    app.openAPIRegistry.registerComponent("securitySchemes", name, scheme);

  let document: ReturnType<typeof app.getOpenAPI31Document> | undefined;
  const describe = () =>
    (document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { ...INFO, version: options.version },
      servers: [{ url: "/" }],
      tags: TAGS,
    }));

  const shared = { method: "get" as const, tags: ["Operation"], security: security.nobody };
  const openapi = createRoute({
    ...shared,
    path: "/openapi.json",
    summary: "This API as OpenAPI 3.1",
    responses: { 200: json("The document.", z.looseObject({ openapi: z.string() })), ...problems() },
  });
  app.openapi(openapi, (c) => {
    c.header("Cache-Control", "public, max-age=300");
    return c.json(describe() as never, 200);
  });

  const docs = createRoute({
    ...shared,
    path: "/docs",
    summary: "This API as a page",
    responses: {
      200: { description: "The page.", content: { "text/html": { schema: z.string() } } },
      ...problems(),
    },
  });
  app.openapi(docs, (c) => {
    c.header("Cache-Control", "public, max-age=300");
    return c.html(page(describe()), 200);
  });

  const root = createRoute({
    ...shared,
    path: "/",
    summary: "What this is",
    responses: {
      200: json(
        "Where to go.",
        z.object({ name: z.string(), version: z.string(), docs: z.string(), openapi: z.string() }),
      ),
      ...problems(),
    },
  });
  app.openapi(root, (c) =>
    c.json({ name: "session-hub", version: options.version, docs: "/docs", openapi: "/openapi.json" }, 200),
  );
}
