import { serve } from "@hono/node-server";
import { assertPortFree } from "./ports.ts";
import { runService } from "./process.ts";
import type { RedisOptions } from "./redis.ts";
import { upstash } from "./upstash.ts";
import { startValkey } from "./valkey.ts";

runService(async ({ redisPort, upstashPort, token, dir }: Omit<RedisOptions, "log">) => {
  await assertPortFree(redisPort, "REDIS_PORT");
  await assertPortFree(upstashPort, "UPSTASH_PORT");
  const valkey = await startValkey(redisPort, dir);

  const handle = upstash(token, `redis://127.0.0.1:${redisPort}`);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const ping = await handle(new Request("http://upstash/", { method: "POST", headers, body: '["PING"]' }));
  if (!ping.ok) throw new Error(`Valkey does not answer: ${await ping.text()}`);
  const server = serve({ fetch: handle, port: upstashPort, hostname: "127.0.0.1" });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  return {
    facts: {},
    stop: async () => {
      server.close();
      await valkey.stop();
    },
  };
});
