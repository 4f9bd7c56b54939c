/** A program that takes every event, as a process of its own. Prints its port, and answers GET with the number of its posts. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

let posts = 0;
const server = createServer((request, response) => {
  if (request.method === "GET") {
    response.end(String(posts));
    return;
  }
  request.resume().on("end", () => {
    posts++;
    response.writeHead(204).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
