import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { PlatformAnswer } from "./fixtures.ts";

/** A call that the fake platform received. */
export interface SeenCall {
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

/** Serves a fake platform on loopback while `work` runs. It gives the answers in order, and repeats the last one. */
export async function withPlatform<T>(
  answers: readonly PlatformAnswer[],
  work: (apiRoot: string, calls: readonly SeenCall[]) => Promise<T>,
): Promise<T> {
  const calls: SeenCall[] = [];
  const server = createServer(async (request, response) => {
    const text = await read(request);
    const answer = answers[Math.min(calls.length, answers.length - 1)] ?? {};
    const { method = "", url = "", headers } = request;
    calls.push({ method, path: url, headers, body: asJson(text) });
    if (answer.hang) return;
    if (answer.drop) return request.socket.destroy();
    response.writeHead(answer.status ?? 200, { "content-type": "application/json", ...answer.headers });
    response.end(answer.raw ?? JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await work(`http://127.0.0.1:${port}`, calls);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request) text += chunk;
  return text;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
