import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { mountControls, readFields } from "./control.ts";
import { applyFault, createFaults, type Fault } from "./faults.ts";
import type { Fields } from "./fields.ts";
import { fileRoutes, mountFiles } from "./files.ts";
import { type Emulator, listen, type OnNode, type OnNodeContext } from "./server.ts";
import { watchCalls } from "./watch.ts";
import { customerRoutes, mountCustomer } from "./whatsapp-customer.ts";
import { digits } from "./whatsapp-customers.ts";
import { type GraphAnswer, graphError, unknownObject, wrongParameter } from "./whatsapp-error.ts";
import { managementRoutes, mayManage, mountManagement } from "./whatsapp-management.ts";
import {
  findMedia,
  forgetMedia,
  isAuthorized,
  keepMedia,
  mountDownloads,
  uploadMedia,
} from "./whatsapp-media.ts";
import { kindOf, postMessage } from "./whatsapp-messages.ts";
import { createWhatsApp, type WhatsApp, type WhatsAppOptions } from "./whatsapp-state.ts";
import { type Handshake, subscribe } from "./whatsapp-subscription.ts";
import { listTemplates, mountTemplates, templateRoutes } from "./whatsapp-templates.ts";

export type { WhatsAppOptions } from "./whatsapp-state.ts";

/**
 * Emulates WhatsApp's Cloud API on loopback. A script plays the customers.
 *
 * `POST /v25.0/<phone number id>/messages` and `GET /v25.0/<media id>` answer as
 * https://developers.facebook.com/documentation/business-messaging/whatsapp says; webhooks are signed over their exact
 * bytes and repeated until the answer is 200. The script's routes, which `GET /` and `customerRoutes` list in full:
 * `POST /_customer/message {from?, user_id?, name?, text}` -> `{message_id, status, error?}`, and batch, read, status,
 * silence, webhook beside it; `/_subscribe` does the handshake, which is also tried once at the start: a failure then
 * is ignored; `GET /_sent?chat_id=&method=&after=&wait=` -> `{last, sent: [{n, at, method, chat_id, message_id, text,
 * ...}]}` with the message type, `read` or `typing` as method; `/_faults`, `/_delivery` and `/_settings` as
 * `control.ts` has them.
 */
export async function startWhatsAppEmulator(options: WhatsAppOptions): Promise<Emulator> {
  const whatsapp = createWhatsApp(options);
  const { sent, deliveries, settings, apiVersion } = whatsapp;
  const faults = createFaults();
  const app = new Hono<OnNode>();
  let handshake: Handshake | undefined;

  watchCalls(app, options.watch);
  mountControls(app, {
    name: "whatsapp",
    routes: {
      [`POST /${apiVersion}/<phone number id>/messages`]: "a message to send, or {status: read}",
      [`POST /${apiVersion}/<phone number id>/media`]: "a form with messaging_product, type and file -> {id}",
      [`GET /${apiVersion}/<media id>`]:
        "-> {url, mime_type, sha256, file_size, id}; the url wants the bearer too",
      ...fileRoutes,
      [`GET /${apiVersion}/<business account id>/message_templates`]: "-> {data, paging}",
      ...customerRoutes,
      ...templateRoutes,
      ...managementRoutes,
      "POST /_subscribe": "{url?, verify_token?} does the handshake -> {ok, status, challenge, answer}",
      "GET /_subscribe": "-> the last handshake, or null",
    },
    sent,
    faults,
    deliveries,
    settings,
  });
  mountCustomer(app, whatsapp);
  mountDownloads(app, whatsapp, faults, (c, fault) => give(c, faulty(fault)));
  mountFiles(
    app,
    (file) => keepMedia(whatsapp, file),
    (id) => forgetMedia(whatsapp, id),
  );
  mountTemplates(app, whatsapp);
  mountManagement(app, whatsapp);

  app.post("/_subscribe", async (c) => {
    const { url, verify_token } = await readFields(c);
    if (url !== undefined) settings.webhookUrl = String(url);
    handshake = await subscribe(whatsapp, verify_token === undefined ? undefined : String(verify_token));
    return c.json(handshake);
  });
  app.get("/_subscribe", (c) => c.json(handshake ?? null));

  app.post("/:version/:object/messages", async (c) => {
    const refused = refuseCaller(whatsapp, c);
    if (refused) return give(c, refused);
    const payload = parse(await c.req.text());
    if (!payload) return give(c, wrongParameter("The parameter messaging_product is required."));
    const fault = faults.take(kindOf(payload), digits(payload.to) ?? payload.recipient);
    const proceed = (cut: boolean) =>
      c.req.param("object") === whatsapp.phoneNumberId
        ? give(c, postMessage(whatsapp, payload, cut))
        : give(c, unknownObject("post", c.req.param("object")));
    return fault ? applyFault(c, fault, proceed, () => give(c, faulty(fault))) : proceed(false);
  });

  app.get("/:version/:object/message_templates", (c) => {
    const refused = refuseCaller(whatsapp, c) ?? mayManage(whatsapp, c);
    if (refused) return give(c, refused);
    const fault = faults.take("templates", undefined);
    const proceed = () =>
      c.req.param("object") === whatsapp.accountId
        ? c.json(listTemplates(whatsapp, new URL(c.req.url).searchParams))
        : give(c, unknownObject("get", c.req.param("object")));
    return fault ? applyFault(c, fault, proceed, () => give(c, faulty(fault))) : proceed();
  });

  app.post("/:version/:object/media", async (c) => {
    const refused = refuseCaller(whatsapp, c);
    if (refused) return give(c, refused);
    if (c.req.param("object") !== whatsapp.phoneNumberId)
      return give(c, unknownObject("post", c.req.param("object")));
    const fault = faults.take("upload", undefined);
    const answer = await uploadMedia(whatsapp, await c.req.parseBody().catch(() => ({})));
    const proceed = () => give(c, answer);
    return fault ? applyFault(c, fault, proceed, () => give(c, faulty(fault))) : proceed();
  });

  app.get("/:version/:id", async (c) => {
    const refused = refuseCaller(whatsapp, c);
    if (refused) return give(c, refused);
    const fault = faults.take("media", undefined);
    const proceed = () => give(c, findMedia(whatsapp, c.req.param("id"), new URL(c.req.url).origin));
    return fault ? applyFault(c, fault, proceed, () => give(c, faulty(fault))) : proceed();
  });

  app.notFound((c) => give(c, unknownPath(c)));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
    console.error("whatsapp emulator:", error);
    return give(c, graphError(1));
  });

  const emulator = await listen(app, options.port, () => {
    whatsapp.keep.close(); // pending webhooks stay in the file for the next start
    deliveries.stop();
  });
  deliveries.resume();
  if (settings.webhookUrl) void subscribe(whatsapp).then((result) => (handshake ??= result));
  return emulator;
}

function refuseCaller(whatsapp: WhatsApp, c: OnNodeContext): GraphAnswer | undefined {
  if (c.req.param("version") !== whatsapp.apiVersion) return unknownPath(c);
  return isAuthorized(whatsapp, c.req.header("authorization")) ? undefined : graphError(190);
}

function unknownPath(c: OnNodeContext): GraphAnswer {
  const [, first = ""] = c.req.path.split("/");
  const answer = graphError(803);
  const error = answer.body.error as Fields;
  return { status: answer.status, body: { error: { ...error, message: `${error.message}: ${first}` } } };
}

function parse(body: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined; // as at the platform, broken JSON counts as missing parameters
  }
}

const CODE_OF_STATUS: Record<number, number> = {
  400: 100,
  401: 190,
  403: 368,
  429: 130429,
  500: 131000,
  503: 2,
};

function faulty({ status, code, body, retry_after }: Fault): GraphAnswer {
  const wait = retry_after !== undefined && { retryAfter: retry_after };
  if (body) return { status: status ?? 500, body, ...wait };
  return { ...graphError(code ?? CODE_OF_STATUS[status ?? 500] ?? 131000, undefined, status), ...wait };
}

function give(c: OnNodeContext, { status, body, retryAfter }: GraphAnswer): Response {
  if (retryAfter !== undefined) c.header("Retry-After", String(retryAfter));
  return c.json(body, status as 200);
}
