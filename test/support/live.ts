import { type IncomingHttpHeaders, request } from "node:http";

/** A device with an open connection, and the frames that it has received. */
export interface OpenDevice {
  readonly frames: any[];
  readonly protocol: string;
  /** How many pings were answered. */
  pongs: number;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** The frames of one type. */
  of(type: string): any[];
  /** Resolves once `check` is true. */
  until(check: (device: OpenDevice) => boolean, ms?: number): Promise<void>;
  send(text: string): void;
  close(): Promise<void>;
}

/** The texts of the messages that the device received. */
export const textsOf = (device: OpenDevice): string[] =>
  device.of("message").map(({ message }) => message.text);

/** Whether the device has received `ready`. */
export const isReady = (device: OpenDevice): boolean => device.of("ready").length > 0;

/** Opens `/session/live` as a browser does, with the token as a subprotocol. */
export function browse(hub: string, token: string, query = ""): Promise<OpenDevice> {
  return open(new WebSocket(address(hub, query), ["hub.v1", token]));
}

/** Opens `/session/live` as another program may, with the token in a header. */
export function dial(hub: string, headers: Record<string, string>, query = ""): Promise<OpenDevice> {
  return open(new WebSocket(address(hub, query), { headers } as never));
}

/** The answer to a refused connection. */
export function refusal(
  hub: string,
  headers: Record<string, string>,
  query = "",
): Promise<{ status: number; code: string; headers: IncomingHttpHeaders }> {
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  return new Promise((resolve, reject) => {
    const call = request(address(hub, query).replace("ws", "http"), { headers: { ...upgrade, ...headers } });
    call.once("upgrade", (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode!, code: "let in", headers: response.headers });
    });
    call.once("response", async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({
        status: response.statusCode!,
        code: JSON.parse(text).error.code,
        headers: response.headers,
      });
    });
    call.once("error", reject);
    call.end();
  });
}

function address(hub: string, query: string): string {
  return `${hub.replace("http", "ws")}/session/live${query}`;
}

async function open(socket: WebSocket): Promise<OpenDevice> {
  const frames: any[] = [];
  const watchers = new Set<() => void>();
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason })),
  );
  socket.addEventListener("message", ({ data }) => {
    if (data === "pong") device.pongs++;
    else frames.push(JSON.parse(data));
    for (const look of watchers) look();
  });
  const device: OpenDevice = {
    frames,
    pongs: 0,
    closed,
    get protocol() {
      return socket.protocol ?? "";
    },
    of: (type) => frames.filter((frame) => frame.type === type),
    until: (check, ms = 10_000) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => {
          watchers.delete(look);
          reject(new Error(`not within ${ms} ms; got ${JSON.stringify(frames.map(inShort))}`));
        }, ms);
        function look() {
          if (!check(device)) return;
          clearTimeout(late);
          watchers.delete(look);
          resolve();
        }
        watchers.add(look);
        look();
      }),
    send: (text) => socket.send(text),
    close: async () => {
      socket.close();
      await closed;
    },
  };
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("the connection was refused")));
  });
  // Local workerd delays the close for seconds if the device has never sent anything.
  socket.send("ping");
  return device;
}

function inShort(frame: any): string {
  return `${frame.type} ${frame.message?.text ?? frame.status ?? ""}`.trim();
}
