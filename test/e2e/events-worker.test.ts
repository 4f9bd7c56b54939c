import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle, HUB } from "../../bench/lib/bundle.ts";
import type { Server } from "../../bench/lib/server.ts";
import { startWorkerd } from "../../bench/lib/workerd.ts";
import { post } from "../support/http.ts";
import { startReceiver } from "../support/receiver.ts";
import { createDatabase } from "../support/stack.ts";

const admin = { "x-api-key": "an-admin-key" };
let folder: string;
let hub: Server;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hub-events-worker-"));
  hub = await startWorkerd({
    name: "hub",
    bundle: await bundle(HUB, folder),
    vars: { ENVIRONMENT: "development", ADMIN_API_KEY: admin["x-api-key"], BOT: "echo" },
    databaseUrl: (await createDatabase()).url,
    room: "LiveRoom",
  });
}, 120_000);
afterAll(async () => {
  await hub?.stop();
  await rm(folder, { recursive: true, force: true });
});

const ask = async (path: string, init: RequestInit = { headers: admin }) =>
  (await (await fetch(`http://127.0.0.1:${hub.port}${path}`, init)).json()) as any;
const soon = { timeout: 30_000, interval: 100 };

test("on workerd events are signed and posted, redirects are not followed, and endless answers not read", async () => {
  const taking = await startReceiver();
  const elsewhere = await startReceiver();
  const redirecting = await startReceiver((_got, response) => {
    response.writeHead(307, { location: elsewhere.url }).end();
    return 307;
  });
  const endless = await startReceiver((_got, response) => {
    response.writeHead(200);
    const part = Buffer.alloc(65_536, "a");
    const more = () => {
      while (!response.destroyed && response.write(part));
      if (!response.destroyed) response.once("drain", more);
    };
    more();
    return 200;
  });
  const types = ["session.opened", "message.received"];
  const make = ({ url }: { url: string }) => ask("/api/endpoints", post({ url, types }, admin));
  const { secret } = await make(taking);
  const { endpoint_id: redirected } = await make(redirecting);
  const { endpoint_id: flooded } = await make(endless);

  const { session_token } = await ask("/session/start", post({ channel: "web" }, admin));
  await ask("/webhooks/web", post({ external_id: "1", text: "Hello" }, { "x-session-token": session_token }));
  await expect.poll(() => taking.types(), soon).toEqual(types);
  for (const { body, headers, event } of taking.got)
    expect(new Webhook(secret).verify(body, headers)).toEqual(event);
  await expect
    .poll(() => ask(`/api/endpoints/${redirected}`), soon)
    .toMatchObject({ state: "failing", last_failure: { reason: "redirect" } });
  expect(elsewhere.got).toEqual([]);
  await expect.poll(() => endless.types(), soon).toEqual(types);
  await expect
    .poll(() => ask(`/api/endpoints/${flooded}`), soon)
    .toMatchObject({ state: "enabled", waiting: false });
}, 120_000);
