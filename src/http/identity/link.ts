import { createRoute, z } from "@hono/zod-openapi";
import { lookUp } from "../../core/degraded.ts";
import { sha256Hex } from "../../core/signature.ts";
import { mintToken, randomText, tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { sessionOf } from "../sessions/end.ts";
import { instant } from "../shapes.ts";
import { qrSvg } from "./qr.ts";

const byMessenger = z.object({ telegram: z.string().optional(), whatsapp: z.string().optional() });

/** Registers `POST /session/link`: what the customer opens or scans in a messenger, so that it joins this session. */
export function addLink(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/session/link",
    tags: ["Identity"],
    summary: "Link a messenger by scanning",
    description:
      "Links and QR codes for every messenger that is configured, good for one use within ten minutes. Whoever opens " +
      "one and sends it joins this session: show them only to the customer who is here. The page then goes on by " +
      "itself: a message of kind `system` whose content says `linked` comes by `/session/messages?wait=` or " +
      "`/session/live`, and `/session/restore` has the session.",
    security: security.token,
    request: {
      query: z.object({
        new_token: z
          .enum(["true", "false"])
          .default("false")
          .openapi({
            description:
              "Whether to exchange the device's token for the one in the answer, so that nobody who has seen the old one " +
              "comes along. For devices that several people use.",
          }),
      }),
    },
    responses: {
      200: json(
        "An absent messenger is not configured.",
        z.object({
          links: byMessenger.openapi({ description: "To open on this device." }),
          qr: byMessenger.openapi({ description: "The same as SVG, to scan with another device." }),
          expires_at: instant,
          session_token: z.string().optional().openapi({ description: "With `new_token` only." }),
        }),
      ),
      ...problems("malformed", "unauthorized", "session_not_found", "session_expired"),
    },
  });
  app.openapi(route, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const link = `link_${randomText(24)}`;
    const link_hash = await sha256Hex(link);
    const fresh = c.req.valid("query").new_token === "true" ? await mintToken() : undefined;
    const { expires_at } = await lookUp(hub, () =>
      hub.store.proofs.createLink(
        { token_hash, link_hash, ...(fresh && { new_token_hash: fresh.token_hash }) },
        hub.now(),
      ),
    );
    if (fresh) {
      const session_id = await sessionOf(hub, fresh);
      if (session_id) hub.live.publish(session_id, { type: "closed", token_hash });
      void c.var.exchange.later(hub.cache.drop([token_hash]));
    }
    const { telegram, whatsapp } = options.scanTo ?? {};
    const links = {
      ...(telegram && hub.channels.telegram && { telegram: `https://t.me/${telegram}?start=${link}` }),
      ...(whatsapp && hub.channels.whatsapp && { whatsapp: `https://wa.me/${whatsapp}?text=${link}` }),
    };
    const qr = Object.fromEntries(Object.entries(links).map(([name, url]) => [name, qrSvg(url)]));
    const { session_token } = fresh ?? {};
    return c.json(
      { links, qr, expires_at: expires_at.toISOString(), ...(session_token && { session_token }) },
      200,
    );
  });
}
