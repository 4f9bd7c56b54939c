import { createRoute, z } from "@hono/zod-openapi";
import { sha256Hex } from "../../core/signature.ts";
import { mintToken, randomText, tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { instant } from "../shapes.ts";
import { qrSvg } from "./qr.ts";

const byMessenger = z.record(z.string(), z.string());

/** Registers `POST /session/link`: makes links and QR codes with which a customer joins a messenger to this session. */
export function addLink(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "post",
    path: "/session/link",
    tags: ["Identity"],
    summary: "Link a messenger by scanning",
    description:
      "Links and QR codes for every configured messenger. Each is valid for ten minutes and one use. A person who opens " +
      "one and sends it joins this session: show them only to the customer at the device. For a session that already " +
      "has a customer, the device must have got its token by code, scan, password or an API key within the last 15 " +
      "minutes; otherwise the answer is `verification_required`.\n\n" +
      "The page saves `session_token` and waits with its present token, by `/session/messages?wait=` or `/session/live`. " +
      "When the link is used, the present token dies, because other people may have seen it: the wait ends with " +
      "`session_not_found`, or the socket closes with 4001 or 4003. The page then continues with `session_token`, first " +
      "with `/session/restore`. If the link is not used, nothing changes.",
    security: security.token,
    responses: {
      200: json(
        "The links. A messenger that is not configured is absent.",
        z.object({
          links: byMessenger.openapi({ description: "By channel, to open on this device." }),
          qr: byMessenger.openapi({ description: "The same as SVG, to scan with another device." }),
          expires_at: instant,
          session_token: z.string().openapi({
            description:
              "The device's token once this link is used; before that it opens nothing. It is shown only here. Of several " +
              "links only the used one's token becomes valid.",
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
