import { createApp } from "@humanwhocodes/upstash-redis-server";

/**
 * The Upstash REST API in the form that Upstash's client expects. The server package answers `/` and `/pipeline`. This
 * function changes three things: it checks the token on every path (the package only on `/`); it returns a hash as a
 * flat list (the package as an object); it answers in base64 if asked to (the package ignores that, and the client then
 * damages every string that looks like base64). https://upstash.com/docs/redis/features/restapi
 */
export function upstash(token: string, redisUrl: string): (request: Request) => Promise<Response> {
  const app = createApp({ token, redisUrl });
  return async (request) => {
    if (request.headers.get("authorization") !== `Bearer ${token}`) {
      return Response.json({ error: "Unauthorized" }, { status: 401 });
    }
    const response = await app.fetch(request);
    if (!response.headers.get("content-type")?.startsWith("application/json")) return response;
    const write = request.headers.get("upstash-encoding") === "base64" ? base64 : (text: string) => text;
    return Response.json(answer(await response.json(), write), { status: response.status });
  };
}

function answer(body: unknown, write: (text: string) => string): unknown {
  if (Array.isArray(body)) return body.map((one) => answer(one, write));
  const one = body as { result?: unknown; error?: string };
  return "result" in one ? { result: value(one.result, write) } : one;
}

function value(result: unknown, write: (text: string) => string): unknown {
  if (typeof result === "string") return result === "OK" ? result : write(result);
  if (Array.isArray(result)) return result.map((one) => value(one, write));
  if (result && typeof result === "object") return value(Object.entries(result).flat(), write);
  return result;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
