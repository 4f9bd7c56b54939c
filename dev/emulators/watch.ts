import type { Hono } from "hono";
import type { Sent } from "./sent.ts";
import type { OnNode } from "./server.ts";

/** What an emulator does, as it happens: a webhook on its way, its answer, a call of the hub, and what a customer got. */
export type Seen =
  | {
      readonly what: "webhook";
      /** The same in the answer to it. */
      readonly attempt: string;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string;
    }
  | {
      readonly what: "answer";
      readonly attempt: string;
      /** 0: there was no answer. */
      readonly status: number;
      readonly error?: string;
      readonly body?: string;
      /** The id under which the hub logged it. */
      readonly request_id?: string;
      readonly ms: number;
    }
  | {
      readonly what: "call";
      readonly method: string;
      readonly path: string;
      readonly body: string;
      /** 0: the connection was closed without an answer. */
      readonly status: number;
      readonly answer: string;
      readonly ms: number;
    }
  | { readonly what: "sent"; readonly entry: Sent };

export type Watch = (seen: Seen) => void;

/** The most characters of a body that is shown. */
const MOST = 16_384;

/** Shows `watch` each call of the platform's API, and no control call. */
export function watchCalls(app: Hono<OnNode>, watch: Watch | undefined): void {
  if (!watch) return;
  app.use(async (c, next) => {
    const { method, path } = c.req;
    if (path === "/" || path.startsWith("/_")) return next();
    const began = performance.now();
    const type = c.req.header("content-type") ?? "";
    const asked = method === "GET" ? Promise.resolve("") : bodyOf(type, c.req.raw.clone());
    const seen = async (status: number, answer: string) =>
      watch({
        what: "call",
        method,
        path,
        body: await asked.catch(() => ""),
        status,
        answer,
        ms: Math.round(performance.now() - began),
      });
    await next();
    const wasCut = c.env.incoming.socket.destroyed;
    if (wasCut) await seen(0, "");
    else {
      const { status, headers } = c.res;
      await seen(status, await bodyOf(headers.get("content-type") ?? "", c.res.clone()));
    }
  });
}

/** A body as text; for bytes their size. */
async function bodyOf(type: string, message: Request | Response): Promise<string> {
  if (/json|text|urlencoded/.test(type)) return (await message.text()).slice(0, MOST);
  const { byteLength } = await message.arrayBuffer();
  return byteLength === 0 ? "" : `${byteLength} bytes of ${type || "no type"}`;
}
