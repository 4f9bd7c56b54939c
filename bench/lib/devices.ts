import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** The hub's API key for web pages. */
export const KEY = "bench-web-key";

/** A bot that always gives the same reply. */
export interface Bot {
  readonly url: string;
  thinksMs: number;
  /** Resolves with the time of its next answer. */
  next(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts one. */
export async function startBot(): Promise<Bot> {
  let waiting: ((at: number) => void) | undefined;
  const server = createServer(async (asked, answer) => {
    for await (const _ of asked);
    if (bot.thinksMs > 0) await sleep(bot.thinksMs);
    answer.setHeader("content-type", "application/json");
    waiting?.(performance.now());
    answer.end(JSON.stringify({ replies: [{ kind: "text", text: "It is ready, and open until six." }] }));
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const bot: Bot = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    thinksMs: 0,
    next: () => new Promise((resolve) => (waiting = resolve)),
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
  return bot;
}

/** An open WebSocket. */
export interface Socket {
  /** Resolves with the time of the next frame that matches. */
  next(is: (text: string) => boolean): Promise<number>;
  close(): void;
}

/** Opens one. */
export async function listen(url: string, protocols: string[] = []): Promise<Socket> {
  const socket = new WebSocket(url, protocols);
  let waiting: { is: (text: string) => boolean; resolve: (at: number) => void } | undefined;
  socket.addEventListener("message", ({ data }) => {
    const at = performance.now();
    if (!waiting?.is(String(data))) return;
    waiting.resolve(at);
    waiting = undefined;
  });
  await new Promise((opened, failed) => {
    socket.addEventListener("open", opened);
    socket.addEventListener("error", () => failed(new Error(`no WebSocket at ${url}`)));
  });
  return {
    next: (is) =>
      new Promise((resolve) => {
        waiting = { is, resolve };
      }),
    close: () => socket.close(),
  };
}

/** A device with a connection to its session. */
export interface Device extends Socket {
  readonly port: number;
  readonly token: string;
}

/** Connects a session's device. */
export async function connect(url: string, token: string): Promise<Device> {
  const socket = await listen(`${url}/session/live`, ["hub.v1", token]);
  return { ...socket, port: Number(new URL(url).port), token };
}

/** Starts an anonymous session and returns its token. */
export async function begin(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/session/start`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": KEY },
    body: JSON.stringify({ channel: "web" }),
  });
  return ((await answer.json()) as { session_token: string }).session_token;
}

/** Posts a message for a device. */
export async function say(port: number, token: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/webhooks/web`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ external_id: crypto.randomUUID(), text: "Is my order ready?" }),
  });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`a message was answered ${answer.status}`);
}
