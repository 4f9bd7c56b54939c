import { connect } from "node:net";
import type { Emulator } from "../../emulators/server.ts";

/** Passes WebSockets on to the hub at this port. While it is away they are closed. */
export function passUpgrades({ server }: Pick<Emulator, "server">, port: number): void {
  server.on("upgrade", (request, socket, head) => {
    const there = connect(port, "127.0.0.1", () => {
      const lines = [`GET ${request.url} HTTP/1.1`];
      for (let i = 0; i < request.rawHeaders.length; i += 2)
        lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
      there.write(`${lines.join("\r\n")}\r\n\r\n`);
      there.write(head);
      there.pipe(socket).pipe(there);
    });
    there.on("error", () => socket.destroy());
    socket.on("error", () => there.destroy());
    socket.on("close", () => there.destroy());
    there.on("close", () => socket.destroy());
  });
}
