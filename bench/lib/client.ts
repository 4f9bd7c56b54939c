import { connect, type Socket } from "node:net";

/** One kept-alive HTTP/1.1 connection, with one request at a time. The client does as little work as possible. */
export interface Connection {
  /**
   * Resolves with the status once the whole answer is there. Connects again if the server has closed the connection.
   */
  post(head: string, body: string): Promise<number>;
  close(): void;
}

/** Opens a connection to a loopback server. */
export async function open(port: number): Promise<Connection> {
  let line = await dial(port);
  return {
    async post(head, body) {
      if (line.socket.destroyed) line = await dial(port);
      return line.ask(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    },
    close: () => line.socket.destroy(),
  };
}

/** The request line and headers of a JSON POST, without its length and the headers that differ each time. */
export function headOf(path: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n`;
}

interface Line {
  readonly socket: Socket;
  ask(request: string): Promise<number>;
}

function dial(port: number): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(lineOver(socket));
    });
  });
}

function lineOver(socket: Socket): Line {
  let answer = "";
  let waiting: PromiseWithResolvers<number> | undefined;
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    answer += chunk;
    if (!isWhole(answer)) return;
    const status = Number(answer.slice(9, 12));
    answer = "";
    waiting?.resolve(status);
    waiting = undefined;
  });
  const fail = (error?: Error) => {
    waiting?.reject(error ?? new Error("the server hung up"));
    waiting = undefined;
  };
  socket.on("error", fail);
  socket.on("end", () => socket.destroy());
  socket.on("close", () => fail());
  return {
    socket,
    ask(request) {
      waiting = Promise.withResolvers<number>();
      socket.write(request);
      return waiting.promise;
    },
  };
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end + 2));
  if (length) return answer.length >= end + 4 + Number(length[1]);
  return !/\r\ntransfer-encoding:/i.test(answer.slice(0, end + 2)) || answer.endsWith("0\r\n\r\n");
}
