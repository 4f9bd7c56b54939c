import type { Hono } from "hono";
import type { Fields } from "./fields.ts";
import type { OnNode, OnNodeContext } from "./server.ts";
import { type GraphAnswer, graphError, unknownObject, wrongParameter } from "./whatsapp-error.ts";
import { isAuthorized } from "./whatsapp-media.ts";
import type { WhatsApp } from "./whatsapp-state.ts";
import { shakeHands } from "./whatsapp-subscription.ts";

/** The routes of the script for what the management calls show. */
export const managementRoutes = {
  "GET /v25.0/debug_token": "?input_token= with the app's token -> {data}",
  "GET, POST, DELETE /v25.0/<account id>/subscribed_apps":
    "{override_callback_uri, verify_token} does the handshake",
  "GET, POST /v25.0/<app id>/subscriptions":
    "{object, callback_url, verify_token, fields} does the handshake",
};

/**
 * Mounts the calls with which an app looks after itself: its token, its subscriptions, its number.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/manage-webhooks
 */
export function mountManagement(app: Hono<OnNode>, whatsapp: WhatsApp): void {
  const { management, settings, apiVersion, accountId, appId, phoneNumberId } = whatsapp;
  const at = (path: string) => `/${apiVersion}/${path}`;

  app.get(at("debug_token"), (c) => {
    if (!holdsAppToken(whatsapp, c)) return give(c, graphError(190));
    const token = c.req.query("input_token");
    if (!token) return give(c, wrongParameter("The parameter input_token is required."));
    if (token !== whatsapp.accessToken)
      return c.json({
        data: { error: { code: 190, message: "Invalid OAuth access token." }, is_valid: false, scopes: [] },
      });
    const { tokenExpiresAt: expires_at } = settings;
    const isExpired = expires_at > 0 && expires_at * 1_000 < Date.now();
    const scopes = settings.tokenScopes.split(",").filter(Boolean);
    return c.json({
      data: {
        app_id: appId,
        type: "SYSTEM_USER",
        application: "Session hub",
        expires_at,
        data_access_expires_at: 0,
        issued_at: 1_760_000_000,
        is_valid: !isExpired,
        ...(isExpired && { error: { code: 190, subcode: 463, message: "Error validating access token" } }),
        scopes,
        granular_scopes: scopes
          .filter((scope) => scope.startsWith("whatsapp_"))
          .map((scope) => ({ scope, target_ids: [accountId] })),
      },
    });
  });

  app.on(["GET", "POST"], at(`${appId}/subscriptions`), async (c) => {
    if (!holdsAppToken(whatsapp, c)) return give(c, graphError(190));
    if (c.req.method === "GET")
      return c.json({ data: management.subscription ? [management.subscription] : [] });
    const { object, callback_url, verify_token, fields } = await paramsOf(c);
    if (object !== "whatsapp_business_account") return give(c, wrongParameter("Invalid object."));
    const refused = await verifyCallback(callback_url, verify_token);
    if (refused) return give(c, refused);
    management.subscription = {
      object,
      callback_url,
      active: true,
      fields: String(fields ?? "")
        .split(",")
        .filter(Boolean)
        .map((name) => ({ name, version: apiVersion })),
    };
    if (!management.override) settings.webhookUrl = String(callback_url);
    return c.json({ success: true });
  });

  app.on(["GET", "POST", "DELETE"], at(`${accountId}/subscribed_apps`), async (c) => {
    const refused = mayManage(whatsapp, c);
    if (refused) return give(c, refused);
    if (c.req.method === "DELETE") {
      management.isSubscribed = false;
      management.override = undefined;
      return c.json({ success: true });
    }
    if (c.req.method === "GET") {
      const link = `https://www.facebook.com/games/?app_id=${appId}`;
      const { override } = management;
      const about = {
        whatsapp_business_api_data: { id: appId, link, name: "Session hub" },
        ...(override && { override_callback_uri: override }),
      };
      return c.json({ data: management.isSubscribed ? [about] : [] });
    }
    const { override_callback_uri, verify_token } = await paramsOf(c);
    if (override_callback_uri !== undefined) {
      const unverified = await verifyCallback(override_callback_uri, verify_token);
      if (unverified) return give(c, unverified);
      settings.webhookUrl = String(override_callback_uri);
    }
    management.isSubscribed = true;
    management.override = override_callback_uri === undefined ? undefined : String(override_callback_uri);
    return c.json({ success: true });
  });

  app.get(at(phoneNumberId), (c) => {
    if (!isAuthorized(whatsapp, c.req.header("authorization"))) return give(c, graphError(190));
    return c.json({
      id: phoneNumberId,
      display_phone_number: `+${whatsapp.displayPhoneNumber}`,
      verified_name: "Session hub",
      quality_rating: settings.quality,
      code_verification_status: "VERIFIED",
      platform_type: "CLOUD_API",
      status: "CONNECTED",
    });
  });

  async function verifyCallback(url: unknown, verifyToken: unknown): Promise<GraphAnswer | undefined> {
    if (typeof url !== "string" || !URL.canParse(url))
      return wrongParameter("The callback URL is not valid.");
    const { ok, status } = await shakeHands(whatsapp, url, String(verifyToken ?? ""));
    if (ok) return undefined;
    const answer = graphError(2200, undefined, 400);
    const message = `(#2200) Callback verification failed with the following errors: HTTP Status Code = ${status}`;
    return { ...answer, body: { error: { ...(answer.body.error as Fields), message } } };
  }
}

/** The answer to a token that is wrong, or that may not manage the account. */
export function mayManage(whatsapp: WhatsApp, c: OnNodeContext): GraphAnswer | undefined {
  if (!isAuthorized(whatsapp, c.req.header("authorization"))) return graphError(190);
  if (whatsapp.settings.tokenScopes.split(",").includes("whatsapp_business_management")) return undefined;
  return unknownObject("get", whatsapp.accountId);
}

function holdsAppToken({ appId, appSecret }: WhatsApp, c: OnNodeContext): boolean {
  return c.req.header("authorization") === `Bearer ${appId}|${appSecret}`;
}

async function paramsOf(c: OnNodeContext): Promise<Fields> {
  const type = c.req.header("content-type") ?? "";
  if (type.startsWith("application/json")) return (await c.req.json().catch(() => ({}))) as Fields;
  return { ...c.req.query(), ...((await c.req.parseBody()) as Fields) };
}

function give(c: OnNodeContext, { status, body }: GraphAnswer): Response {
  return c.json(body, status as 400);
}
