import { WEBHOOK_FIELDS } from "../../src/channels/whatsapp/read/webhook.ts";
import { call, form } from "./call.ts";
import { fail, type Outcome, ok, warn } from "./outcome.ts";

/** What identifies an app and its number at Meta. */
export interface WhatsAppKeys {
  readonly accessToken: string;
  readonly appId: string;
  readonly appSecret: string;
  readonly accountId: string;
  readonly phoneNumberId: string;
  readonly root?: string;
  readonly version?: string;
}

interface GraphError {
  readonly error?: { readonly code: number; readonly message: string };
}
interface TokenInfo {
  readonly app_id?: string;
  readonly is_valid: boolean;
  readonly expires_at?: number;
  readonly scopes: readonly string[];
  readonly error?: { readonly message: string };
}
interface Subscription {
  readonly object: string;
  readonly callback_url: string;
  readonly active: boolean;
  readonly fields: readonly (string | { readonly name: string })[];
}
interface SubscribedApp {
  readonly whatsapp_business_api_data: { readonly id: string };
  readonly override_callback_uri?: string;
}
interface PhoneNumber {
  readonly display_phone_number: string;
  readonly verified_name?: string;
  readonly quality_rating?: string;
  readonly status?: string;
}
interface Template {
  readonly name: string;
  readonly language: string;
  readonly status: string;
}

const SCOPES = ["whatsapp_business_management", "whatsapp_business_messaging"];
/** Events of the account go to the app's own address only, so it is subscribed to them. */
const ACCOUNT_FIELDS = ["account_update", "message_template_status_update", "phone_number_quality_update"];
const FIELDS = [...WEBHOOK_FIELDS, ...ACCOUNT_FIELDS];
const OBJECT = "whatsapp_business_account";
const SOON_DAYS = 14;
const DAY_S = 86_400;
const TOKENS = "https://business.facebook.com/latest/settings/system_users";
const MANAGER = "https://business.facebook.com/latest/whatsapp_manager";

/**
 * What setup and doctor ask of Meta's Graph API.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/manage-webhooks
 */
export function whatsappOf(keys: WhatsAppKeys) {
  const { accessToken, appId, appSecret, accountId, phoneNumberId } = keys;
  const root = `${(keys.root ?? "https://graph.facebook.com").replace(/\/+$/, "")}/${keys.version ?? "v25.0"}`;
  const asUser = { authorization: `Bearer ${accessToken}` };
  const asApp = { authorization: `Bearer ${appId}|${appSecret}` };

  async function ask<T>(what: string, path: string, init: RequestInit): Promise<T> {
    const { status, body } = await call<T & GraphError>(`${root}/${path}`, init);
    if (status === 200 && !body.error) return body;
    const { code, message } = body.error ?? { code: status, message: "no readable answer" };
    if (code === 190) throw new Error(`Meta does not take the ${what}`);
    throw new Error(`Meta refuses the ${what}: ${message}`);
  }
  const subscribedApps = (init: RequestInit) =>
    ask<{ data: SubscribedApp[] }>(
      "call for the account (WHATSAPP_ACCOUNT_ID, the token's rights)",
      `${accountId}/subscribed_apps`,
      init,
    );
  const subscriptions = (init: RequestInit) =>
    ask<{ data: Subscription[] }>("app id with the app secret", `${appId}/subscriptions`, init);

  return {
    /** The token's validity, rights and end. Needs the app's secret, so it checks that too. */
    async token(now: Date): Promise<Outcome> {
      const name = "whatsapp token";
      const path = `debug_token?${new URLSearchParams({ input_token: accessToken })}`;
      const { data } = await ask<{ data: TokenInfo }>("app id with the app secret", path, { headers: asApp });
      if (!data.is_valid) return fail(name, data.error?.message ?? "it is not valid", TOKENS);
      if (data.app_id !== appId)
        return fail(name, `it belongs to the app ${data.app_id}, not to ${appId}`, TOKENS);
      const missing = SCOPES.filter((scope) => !data.scopes.includes(scope));
      if (missing.length > 0) return fail(name, `it lacks ${missing.join(" and ")}`, TOKENS);
      if (!data.expires_at) return ok(name, "valid, with the rights it needs, without an end");
      const days = Math.floor((data.expires_at - now.getTime() / 1_000) / DAY_S);
      const text = `valid for ${days} more days`;
      return days < SOON_DAYS
        ? warn(name, `${text}: make one of a system user, which has no end`, TOKENS)
        : ok(name, text);
    },

    /** The number, as digits, with its state and quality. */
    async number(): Promise<{ digits: string; outcomes: Outcome[] }> {
      const fields = "display_phone_number,verified_name,quality_rating,status";
      const found = await ask<PhoneNumber>(
        "WHATSAPP_PHONE_NUMBER_ID with this token",
        `${phoneNumberId}?fields=${fields}`,
        { headers: asUser },
      );
      const { display_phone_number, verified_name, quality_rating = "UNKNOWN", status = "CONNECTED" } = found;
      const name = "whatsapp number";
      const quality = "whatsapp quality";
      return {
        digits: display_phone_number.replaceAll(/\D/g, ""),
        outcomes: [
          status === "CONNECTED"
            ? ok(name, `${display_phone_number} (${verified_name ?? "no name"})`)
            : warn(name, `${display_phone_number} is ${status}`, MANAGER),
          quality_rating === "RED" || quality_rating === "YELLOW"
            ? warn(quality, `rated ${quality_rating}: customers block or report its messages`, MANAGER)
            : ok(quality, `rated ${quality_rating}`),
        ],
      };
    },

    /** Subscribes the app at the account, with the hub's address; and the app itself, for the account's own events. */
    async subscribe(url: string, verifyToken: string): Promise<void> {
      const fields = {
        callback_url: url,
        verify_token: verifyToken,
        object: OBJECT,
        fields: FIELDS.join(","),
      };
      await subscriptions(form(fields, asApp));
      await subscribedApps(form({ override_callback_uri: url, verify_token: verifyToken }, asUser));
    },

    /** Reads both subscriptions back. */
    async webhook(url: string): Promise<Outcome[]> {
      const mend = "npm run setup";
      const [apps, subscribed] = await Promise.all([
        subscribedApps({ headers: asUser }),
        subscriptions({ headers: asApp }),
      ]);
      const ours = apps.data.find(({ whatsapp_business_api_data: { id } }) => id === appId);
      const own = subscribed.data.find(({ object }) => object === OBJECT);
      const names = own?.fields.map((field) => (typeof field === "string" ? field : field.name)) ?? [];
      const missing = FIELDS.filter((field) => !names.includes(field));
      const account = "whatsapp webhook of the account";
      const app = "whatsapp webhook of the app";
      return [
        !ours
          ? fail(account, "the app is not subscribed", mend)
          : ours.override_callback_uri !== undefined && ours.override_callback_uri !== url
            ? fail(account, `its messages go to ${ours.override_callback_uri}, not to ${url}`, mend)
            : ok(
                account,
                ours.override_callback_uri ? `messages go to ${url}` : "messages go to the app's own address",
              ),
        own?.callback_url !== url || !own.active
          ? fail(app, own ? `it is set to ${own.callback_url}, not to ${url}` : "it is not set", mend)
          : missing.length > 0
            ? fail(app, `it does not bring ${missing.join(", ")}`, mend)
            : ok(app, `set to ${url}, with ${FIELDS.length} fields`),
      ];
    },

    /** The templates that cannot be sent, and the one for codes. */
    async templates(codeTemplate: string | undefined): Promise<Outcome> {
      const name = "whatsapp templates";
      const path = `${accountId}/message_templates?fields=name,language,status&limit=200`;
      const { data } = await ask<{ data: Template[] }>("call for templates", path, { headers: asUser });
      const codes = data.filter((template) => template.name === codeTemplate);
      if (codeTemplate && !codes.some(({ status }) => status === "APPROVED"))
        return fail(
          name,
          `WHATSAPP_CODE_TEMPLATE ${codeTemplate} is ${codes[0]?.status ?? "not there"}`,
          MANAGER,
        );
      const bad = data.filter(({ status }) => ["REJECTED", "PAUSED", "DISABLED"].includes(status));
      if (bad.length > 0)
        return warn(
          name,
          bad.map(({ name, language, status }) => `${name} (${language}) is ${status}`).join("; "),
          MANAGER,
        );
      return ok(name, `${data.length} templates, none refused`);
    },
  };
}
