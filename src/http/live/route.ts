import { createRoute, z } from "@hono/zod-openapi";
import { HubError } from "../../core/errors.ts";
import { tokenOf } from "../auth.ts";
import { security } from "../describe.ts";
import { problems } from "../errors.ts";
import { cursorSchema } from "../messages.ts";
import { isAllowedOrigin } from "../origins.ts";
import type { App, AppOptions } from "../request.ts";
import { frameSchema, PROTOCOL } from "./frames.ts";
import { JOINING_HEADER, type Joining } from "./room.ts";

/** A cursor after every message: the call checks the token and reads no message. */
const BEYOND = Number.MAX_SAFE_INTEGER;

/** Registers `GET /session/live`: a session's messages and changes as they happen, over a WebSocket (RFC 6455). */
export function addLive(app: App, options: AppOptions): void {
  app.openAPIRegistry.register("LiveFrame", frameSchema);
  const route = createRoute({
    method: "get",
    path: "/session/live",
    tags: ["Messages"],
    summary: "Receive messages and changes live",
    description:
      `A WebSocket of the subprotocol \`${PROTOCOL}\`. A browser sends its token as a second subprotocol, ` +
      `\`new WebSocket(url, ["${PROTOCOL}", session_token])\`; other programs may use \`Authorization\`. Never put a token ` +
      "into a URL. Every frame is one JSON text, a `LiveFrame`: first the messages after `after` in order, then `ready`, " +
      "then messages and changes as they happen. Send `ping` from time to time; the answer is `pong`.\n\n" +
      "Closed with 4001 when the session has merged with another: read it again from its beginning and connect again. " +
      "4003: the session has ended, or this device is signed out. 4008: too many connections; this one was the oldest. " +
      "After any other code connect again with the last `cursor`; no message is missed. Without a WebSocket, " +
      "`/session/messages` with `wait` returns the same messages.",
    security: [...security.token, { webSocketProtocol: [] }],
    request: { query: z.object({ after: cursorSchema }) },
    responses: {
      101: { description: "Frames follow." },
      ...problems("malformed", "unauthorized", "forbidden", "session_not_found", "session_expired"),
    },
  });
  app.openapi(route, async (c) => {
    const { headers, url } = c.req.raw;
    const origin = headers.get("origin");
    // A browser sends the origin of the page that connects.
    if (origin !== null && !isAllowedOrigin(options, origin, url))
      throw new HubError("forbidden", "pages of this origin may not connect; see CORS_ORIGINS");
    const offered = (headers.get("sec-websocket-protocol") ?? "").split(",").map((item) => item.trim());
    const token = offered.find((item) => item.startsWith("hst_"));
    const token_hash = await tokenOf(
      token ? new Headers({ "x-session-token": token }) : headers,
      options.keys,
    );
    const asked = offered.includes(PROTOCOL);
    if (headers.get("upgrade")?.toLowerCase() !== "websocket")
      throw new HubError("malformed", "header.Upgrade: this route speaks WebSocket only");
    if (!asked && offered.some(Boolean))
      throw new HubError("malformed", `header.Sec-WebSocket-Protocol: must offer ${PROTOCOL}`);
    const { rooms } = options;
    if (!rooms)
      throw new HubError("unavailable", "live updates are off here; use /session/messages with wait", {
        reason: "live_off",
        retryAfterMs: 60_000,
      });

    const { exchange } = c.var;
    const hub = exchange.hub();
    const { session_id } = await hub.store.sessions.messages({ token_hash }, BEYOND, 1, hub.now());
    exchange.facts.session_id = session_id;
    const after = Number(c.req.valid("query").after);
    const webSocket = await connect(rooms, { session_id, token_hash, after, asked });
    return new Response(null, {
      status: 101,
      webSocket,
      ...(asked && { headers: { "Sec-WebSocket-Protocol": PROTOCOL } }),
    });
  });
}

async function connect(rooms: DurableObjectNamespace, joining: Joining): Promise<WebSocket> {
  try {
    const room = rooms.get(rooms.idFromName(joining.session_id));
    const { webSocket } = await room.fetch("http://room/", {
      headers: { Upgrade: "websocket", [JOINING_HEADER]: JSON.stringify(joining) },
    });
    if (webSocket) return webSocket;
  } catch (cause) {
    throw new HubError("unavailable", "the room cannot be reached", { reason: "room_unreachable", cause });
  }
  throw new HubError("unavailable", "the room does not answer", { reason: "room_unreachable" });
}
