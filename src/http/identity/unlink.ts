import { createRoute, z } from "@hono/zod-openapi";
import { isIdentityKind } from "../../core/identity/identity.ts";
import { tokenOf } from "../auth.ts";
import { json, security } from "../describe.ts";
import { problems } from "../errors.ts";
import type { App, AppOptions } from "../request.ts";
import { present } from "../sessions/present.ts";
import { sessionSchema } from "../shapes.ts";

/** Registers `DELETE /session/identities/:kind`: removes an identity from the customer. */
export function addUnlink(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "delete",
    path: "/session/identities/{kind}",
    tags: ["Identity"],
    summary: "Unlink an identity",
    description:
      "Removes the identity from the customer. The hub no longer writes to it, and its next message opens another session. " +
      "The device's token stays alive. If the customer has no such identity, nothing changes and the answer is 200. The " +
      "device must have got its token by code, scan, password or an API key within the last 15 minutes; otherwise the " +
      "answer is `verification_required`.",
    security: security.token,
    request: {
      params: z.object({ kind: z.string().max(64).refine(isIdentityKind, "must be a kind of identity") }),
    },
    responses: {
      200: json("The session without it.", z.object({ session: sessionSchema })),
      ...problems(
        "malformed",
        "unauthorized",
        "verification_required",
        "session_not_found",
        "session_expired",
      ),
    },
  });
  app.openapi(route, async (c) => {
    const token_hash = await tokenOf(c.req.raw.headers, options.keys);
    const hub = c.var.exchange.hub();
    const { kind } = c.req.valid("param");
    const { session } = await hub.store.proofs.unlink(token_hash, kind, hub.now());
    return c.json(present(c, token_hash, session), 200);
  });
}
