import { createRoute, z } from "@hono/zod-openapi";
import { sha256Hex } from "../../core/signature.ts";
import { mintToken, randomText, tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { instant } from "../shapes.ts";
import { qrSvg } from "./qr.ts";

const byMessenger = z.record(z.string(), z.string());

/** Registers `POST /session/link`: what the customer opens or scans in a messenger, so that it joins this session. */
export function addLink(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/session/link",
    tags: ["Identity"],
    summary: "Link a messenger by scanning",
    description:
      "Links and QR codes for every messenger that is configured, good for one use within ten minutes. Whoever opens " +
      "one and sends it joins this session: show them only to the customer who is here. A session that is somebody's " +
      "already shows them within 15 minutes after the device got its token by code, scan, password or a key's word; else " +
      "`verification_required`.\n\n" +
      "The page keeps `session_token` and goes on waiting with the token it has, by `/session/messages?wait=` or " +
      "`/session/live`. When the customer has come, that one is dead, for others may have seen it: the wait ends with " +
      "`session_not_found`, or the socket with 4001 or 4003. Then the page goes on with `session_token`, first to " +
      "`/session/restore`. Unless the link is used nothing changes.",
    security: security.token,
    responses: {
      200: json(
        "An absent messenger is not configured.",
        z.object({
          links: byMessenger.openapi({ description: "By channel, to open on this device." }),
          qr: byMessenger.openapi({ description: "The same as SVG, to scan with another device." }),
          expires_at: instant,
          session_token: z.string().openapi({
            description:
              "The device's token once the link was used; until then it opens nothing. Shown only here, and only that of " +
              "the link that was used comes to life.",
          }),
        }),
      ),
      ...problems("unauthorized", "verification_required", "session_not_found", "session_expired"),
    },
  });
  app.openapi(route, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const link = `link_${randomText(24)}`;
    const link_hash = await sha256Hex(link);
    const { session_token, token_hash: new_token_hash } = await mintToken();
    const { expires_at } = await hub.store.proofs.createLink(
      { token_hash, link_hash, new_token_hash },
      hub.now(),
    );
    const links: Record<string, string> = {};
    for (const [name, channel] of Object.entries(hub.channels)) {
      const url = channel.scanLink?.(link);
      if (url !== undefined) links[name] = url;
    }
    const qr = Object.fromEntries(Object.entries(links).map(([name, url]) => [name, qrSvg(url)]));
    return c.json({ links, qr, expires_at: expires_at.toISOString(), session_token }, 200);
  });
}
