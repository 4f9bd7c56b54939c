import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request for a chat completion, as the server received it. */
export interface Asked {
  readonly headers: IncomingMessage["headers"];
  readonly body: {
    readonly model: string;
    readonly messages: readonly {
      readonly role: string;
      readonly content: string | null;
      readonly tool_calls?: readonly {
        readonly id: string;
        readonly function: { name: string; arguments: string };
      }[];
      readonly tool_call_id?: string;
    }[];
    readonly tools?: readonly { readonly function: { readonly name: string } }[];
    readonly tool_choice?: string;
    readonly max_tokens?: number;
  };
}

/** What the model says: a text, calls of tools, or anything that `respond` writes. */
export type Said =
  | string
  | {
      readonly calls: readonly (readonly [name: string, args: unknown, id?: string])[];
      readonly text?: string;
    }
  | ((response: ServerResponse) => void);

/** How the model thinks: `n` counts the requests from 0. */
export type Think = (asked: Asked, n: number) => Said | Promise<Said>;

/** What the embeddings model makes of texts: a vector each, or anything that `respond` writes. */
export type Embed = (
  texts: readonly string[],
) => readonly (readonly number[])[] | ((response: ServerResponse) => void);

export interface ModelServer {
  /** Ends with /v1, as `LLM_BASE_URL` does. */
  readonly url: string;
  readonly asked: Asked[];
  /** What it thinks from now on. The requests are counted from 0 again. */
  think(think: Think): void;
  /** The texts of each request for embeddings. */
  readonly embedded: (readonly string[])[];
  /** What it makes of texts from now on. Until then it has no such model. */
  embed(embed: Embed): void;
  stop(): Promise<void>;
}

/** The usage that the server reports, unless `respond` writes the answer itself. */
export const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };

/** Starts a server on loopback that speaks the protocol of chat completions. */
export async function startModelServer(first: Think = () => "Hello"): Promise<ModelServer> {
  let think = first;
  const asked: Asked[] = [];
  let embed: Embed = () => (response) => json(response, { error: { message: "no such model" } }, 404);
  const embedded: (readonly string[])[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    if (request.url === "/v1/embeddings") {
      const { input } = JSON.parse(text) as { input: string[] };
      embedded.push(input);
      const made = embed(input);
      if (typeof made === "function") return void made(response);
      const data = made.map((embedding, index) => ({ object: "embedding", index, embedding })).reverse();
      const usage = { prompt_tokens: 7 * input.length, total_tokens: 7 * input.length };
      return void json(response, { object: "list", data, usage });
    }
    if (request.url !== "/v1/chat/completions") return void response.writeHead(404).end("{}");
    const one = { headers: request.headers, body: JSON.parse(text) };
    asked.push(one);
    write(response, await think(one, asked.length - 1));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    think(next) {
      think = next;
      asked.length = 0;
    },
    embedded,
    embed(next) {
      embed = next;
      embedded.length = 0;
    },
    stop: () =>
      new Promise((stopped) => {
        server.close(() => stopped());
        server.closeAllConnections();
      }),
  };
}

function write(response: ServerResponse, said: Said): void {
  if (typeof said === "function") {
    said(response);
    return;
  }
  const { calls = [], text = "" } = typeof said === "string" ? { text: said } : said;
  const tool_calls = calls.map(([name, args, id], i) => ({
    id: id ?? `call_${i}`,
    type: "function",
    function: { name, arguments: typeof args === "string" ? args : JSON.stringify(args) },
  }));
  const message = { role: "assistant", content: text, ...(tool_calls.length > 0 && { tool_calls }) };
  const finish_reason = tool_calls.length > 0 ? "tool_calls" : "stop";
  json(response, {
    id: "c",
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason }],
    usage: USAGE,
  });
}

/** Writes any JSON. */
export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** The text of the last message of a role in a request. */
export function lastOf({ body }: Asked, role: string): string {
  return body.messages.findLast((message) => message.role === role)?.content ?? "";
}
