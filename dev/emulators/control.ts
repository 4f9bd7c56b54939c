import type { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Faults } from "./faults.ts";
import type { Fields } from "./fields.ts";
import type { SentLog } from "./sent.ts";
import { type OnNode, type OnNodeContext, onceGone } from "./server.ts";
import type { Deliveries } from "./webhook.ts";

export interface Controls {
  readonly name: string;
  readonly routes: Record<string, string>;
  readonly sent: SentLog;
  readonly faults: Faults;
  readonly deliveries: Deliveries;
  readonly settings: object;
}

const SHARED_ROUTES: Record<string, string> = {
  "GET /": "this page",
  "GET /_sent":
    "?chat_id= &method=a,b &after=<n> &limit= &wait=<seconds, up to 300> &count=<1> -> {last, sent: [{n, at, method, chat_id, message_id, text, ...}]}",
  "DELETE /_sent": "forgets what was sent -> {cleared}; n goes on rising",
  "POST /_faults":
    "{kind: status|timeout|cut|accept-then-cut|accept-then-status|slow|break, method?, chat_id?, status?, retry_after?, code?, body?, ms?, bytes?, type?, times: 1 or -1, every?, id?} -> {faults}",
  "GET /_faults": "-> {faults}",
  "DELETE /_faults": "all, or ?id= alone -> {faults}",
  "POST /_delivery":
    "{copies?, delayMs?, shuffle?, ordered?, retryMs?, maxRetryMs?, maxTries?, timeoutMs?, maxPending?} -> {settings, stats}",
  "GET /_delivery":
    "-> {settings, stats: {pending, attempts, delivered, dropped, last_error_date?, last_error_message?}}",
  "DELETE /_delivery": "gives up pending redeliveries -> {settings, stats}",
  "POST /_settings": "what can be changed while running -> all of it",
  "GET /_settings": "-> all of it",
};

/**
 * Mounts the routes with which tests, the demo and benchmarks control an emulator. They are the same for every
 * platform.
 */
export function mountControls(
  app: Hono<OnNode>,
  { name, routes, sent, faults, deliveries, settings }: Controls,
): void {
  app.get("/", (c) => c.json({ emulator: name, routes: { ...routes, ...SHARED_ROUTES } }));

  app.get("/_sent", async (c) => {
    const number = (key: string, otherwise: number) => readNumber(c.req.query(key), key, otherwise);
    const limit = number("limit", Number.POSITIVE_INFINITY);
    const methods = c.req.query("method")?.split(",");
    const filter = {
      after: number("after", 0),
      chat: c.req.query("chat_id"),
      methods: methods && new Set(methods),
    };
    const seconds = Math.min(number("wait", 0), 300);
    if (seconds > 0) {
      const { done, cancel } = sent.wait(filter, number("count", 1));
      const timer = setTimeout(cancel, seconds * 1000);
      onceGone(c, cancel);
      await done;
      clearTimeout(timer);
    }
    const found = sent.list(filter, limit);
    const cutShort = found.length > 0 && found.length === limit;
    return c.json({ last: cutShort ? found.at(-1)?.n : sent.last, sent: found });
  });
  app.delete("/_sent", (c) => c.json({ cleared: sent.clear() }));

  app.get("/_faults", (c) => c.json({ faults: faults.list() }));
  app.post("/_faults", async (c) => {
    try {
      faults.add(await readFields(c));
    } catch (error) {
      if (error instanceof RangeError) badControl(error.message);
      throw error;
    }
    return c.json({ faults: faults.list() });
  });
  app.delete("/_faults", (c) => {
    faults.clear(c.req.query("id"));
    return c.json({ faults: faults.list() });
  });

  const delivery = () => ({ settings: deliveries.settings, stats: deliveries.stats });
  app.get("/_delivery", (c) => c.json(delivery()));
  app.post("/_delivery", async (c) => {
    change(deliveries.settings, await readFields(c));
    return c.json(delivery());
  });
  app.delete("/_delivery", (c) => {
    deliveries.drop();
    return c.json(delivery());
  });

  app.get("/_settings", (c) => c.json(settings));
  app.post("/_settings", async (c) => {
    change(settings, await readFields(c));
    return c.json(settings);
  });
}

/** Refuses a control call with 400 `{error}`. */
export function badControl(message: string): never {
  throw new HTTPException(400, { message });
}

/** The JSON object in a call's body; `{}` for an empty body. */
export async function readFields(c: OnNodeContext): Promise<Fields> {
  const body = await c.req.text();
  if (body === "") return {};
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  } catch {
    badControl("the body is not JSON");
  }
  badControl("the body is not a JSON object");
}

function change(settings: object, fields: Fields): void {
  const known = settings as Fields;
  for (const [key, value] of Object.entries(fields)) {
    if (!(key in known)) badControl(`no setting ${key}; there are ${Object.keys(known).join(", ")}`);
    if (typeof value !== typeof known[key]) badControl(`${key} is a ${typeof known[key]}`);
    known[key] = value;
  }
}

function readNumber(text: string | undefined, key: string, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  return Number.isFinite(value) && value >= 0 ? value : badControl(`${key} is not a number`);
}
