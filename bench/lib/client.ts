import { connect, type Socket } from "node:net";

/** One kept-alive HTTP/1.1 connection, one request at a time, with as little work of ours as can be. */
export interface Connection {
  /** Resolves with the status once the whole answer is there. */
  post(head: string, body: string): Promise<number>;
  close(): void;
}

/** Opens a connection to a loopback server. */
export function open(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(over(socket));
    });
  });
}

/** The request line and headers of a JSON post, but for its length and the headers that differ each time. */
export function headOf(path: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n`;
}

function over(socket: Socket): Connection {
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
    waiting?.reject(error ?? new Error("the connection was closed"));
    waiting = undefined;
  };
  socket.on("error", fail);
  socket.on("close", () => fail());
  return {
    post(head, body) {
      waiting = Promise.withResolvers<number>();
      socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
      return waiting.promise;
    },
    close: () => socket.destroy(),
  };
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end + 2));
  if (length) return answer.length >= end + 4 + Number(length[1]);
  return !/\r\ntransfer-encoding:/i.test(answer.slice(0, end + 2)) || answer.endsWith("0\r\n\r\n");
}
