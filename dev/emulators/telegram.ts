import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { mountControls } from "./control.ts";
import { applyFault, createFaults, type Fault } from "./faults.ts";
import type { Fields } from "./fields.ts";
import { fileRoutes, mountFiles, serveFile } from "./files.ts";
import { type Emulator, listen, type OnNode, type OnNodeContext } from "./server.ts";
import { businessRoutes, mountBusiness } from "./telegram-business-customer.ts";
import { customerRoutes, mountCustomer } from "./telegram-customer.ts";
import { fileAt, keepFile } from "./telegram-media.ts";
import { type Method, methods } from "./telegram-methods.ts";
import { readParams } from "./telegram-params.ts";
import {
  asRefusal,
  badRequest,
  broken,
  notFound,
  type Refusal,
  refusal,
  unauthorized,
} from "./telegram-refusal.ts";
import { wrongInCall } from "./telegram-schema.ts";
import { createTelegram, type Telegram, type TelegramOptions } from "./telegram-state.ts";
import { watchCalls } from "./watch.ts";

export type { TelegramOptions } from "./telegram-state.ts";

const byName = new Map(Object.entries(methods).map(([name, run]) => [name.toLowerCase(), { name, run }]));

/**
 * Emulates the Telegram Bot API on loopback. A script plays the customers.
 *
 * `/bot<token>/<method>` (GET, or POST of JSON, form or multipart) and `/file/bot<token>/<path>` answer as
 * https://core.telegram.org/bots/api says. The script's routes, which `GET /` and `customerRoutes` list in full: `POST
 * /_customer/message {chat: {id}, text}` -> `{update_id, message_id, status, error?}`, and contact, edit, callback,
 * block, unblock, channel_post, inline, update and business/* beside it; `GET /_sent?chat_id=&method=&after=&wait=` ->
 * `{last, sent: [{n, at, method, chat_id, message_id, text, ...}]}`; `/_faults`, `/_delivery` and `/_settings {limits?,
 * strict?}` as `control.ts` has them.
 *
 * Updates of one chat are delivered one after the other, redeliveries too. `status` is that of the first delivery.
 */
export async function startTelegramEmulator(options: TelegramOptions): Promise<Emulator> {
  const telegram = createTelegram(options);
  const { sent, deliveries, settings } = telegram;
  const faults = createFaults();
  const app = new Hono<OnNode>();

  watchCalls(app, options.watch);
  mountControls(app, {
    name: "telegram",
    routes: {
      "GET, POST /bot<token>/<method>": Object.keys(methods).join(", "),
      "GET /file/bot<token>/<path>": "the bytes behind a file_path",
      ...fileRoutes,
      ...customerRoutes,
      ...businessRoutes,
    },
    sent,
    faults,
    deliveries,
    settings,
  });
  mountCustomer(app, telegram);
  mountBusiness(app, telegram);
  mountFiles(
    app,
    (file) => keepFile(telegram, file),
    (id) => {
      telegram.files.delete(id);
      telegram.bytes.delete(id);
    },
  );

  app.get("/file/:bot/:path{.+}", (c) => {
    if (c.req.param("bot") !== `bot${telegram.token}`) return refused(c, unauthorized);
    const fault = faults.take("file", undefined);
    const proceed = () => {
      const file = fileAt(telegram, c.req.param("path"));
      if (!file) return refused(c, notFound);
      const breakAfter = fault?.kind === "break" ? (fault.bytes ?? 0) : undefined;
      return serveFile(c, file, { breakAfter, contentType: fault?.type ?? "application/octet-stream" });
    };
    return fault ? applyFault(c, fault, proceed, () => faulty(c, fault)) : proceed();
  });

  app.on(["GET", "POST"], "/:bot/:method", async (c) => {
    if (c.req.param("bot") !== `bot${telegram.token}`) return refused(c, unauthorized);
    const method = byName.get(c.req.param("method").toLowerCase());
    if (!method) return refused(c, notFound);
    let params: Fields;
    try {
      params = await readParams(c);
      const isJson = c.req.header("content-type")?.startsWith("application/json");
      const wrong = isJson ? wrongInCall(method.name, params) : undefined;
      if (wrong) badRequest(wrong);
    } catch (error) {
      return refused(c, asRefusal(error));
    }
    const fault = faults.take(method.name, params.chat_id);
    const proceed = (cut: boolean) => call(c, telegram, method, params, cut);
    return fault ? applyFault(c, fault, proceed, () => faulty(c, fault)) : proceed(false);
  });

  app.notFound((c) => refused(c, notFound));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json({ error: error.message }, error.status);
    console.error("telegram emulator:", error);
    return refused(c, broken);
  });
  const emulator = await listen(app, options.port, () => {
    telegram.keep.close(); // pending updates stay in the file for the next start
    deliveries.stop();
  });
  deliveries.resume();
  return emulator;
}

function call(
  c: OnNodeContext,
  telegram: Telegram,
  { name, run }: { name: string; run: Method },
  params: Fields,
  cut: boolean,
): Response {
  try {
    const { result, description, sent } = run(telegram, params);
    if (sent) telegram.sent.add({ method: name, ...sent, ...(cut && { cut }) });
    return c.json({ ok: true, result, ...(description && { description }) });
  } catch (error) {
    return refused(c, asRefusal(error));
  }
}

function refused(c: OnNodeContext, answer: Refusal): Response {
  return c.json(answer, answer.error_code as 400);
}

const DESCRIPTIONS: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden: bot was blocked by the user",
  404: "Not Found",
  409: "Conflict",
  429: "Too Many Requests",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

function faulty(c: OnNodeContext, { status = 500, retry_after, body }: Fault): Response {
  if (body) return c.json(body, status as 500);
  const description = DESCRIPTIONS[status] ?? "Internal Server Error";
  if (retry_after === undefined) return refused(c, refusal(status, description));
  return refused(c, refusal(status, `${description}: retry after ${retry_after}`, { retry_after }));
}
