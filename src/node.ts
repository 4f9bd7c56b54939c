/**
 * `npm start`: the hub under Node, with direct Postgres. docs/node.md describes its settings, health checks and stop.
 */
import "./node/since-node-20.ts";
import pkg from "../package.json" with { type: "json" };
import { assemble } from "./compose/assembly.ts";
import { log } from "./compose/log.ts";
import { sweepOnce } from "./compose/sweep.ts";
import { toHubError } from "./core/errors.ts";
import { describe } from "./http/request.ts";
import { background } from "./node/background.ts";
import { folderBucket } from "./node/folder.ts";
import { pagesOf } from "./node/pages.ts";
import { promptFromFile } from "./node/prompt-file.ts";
import { rateLimiter } from "./node/rate-limiter.ts";
import { readinessOf } from "./node/readiness.ts";
import { serve } from "./node/server.ts";
import { type NodeSettings, nodeSettingsOf } from "./node/settings.ts";
import { startSweeper } from "./node/sweeper.ts";

// The program that reads the log may end first; the hub goes on.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
for (const event of ["uncaughtException", "unhandledRejection"] as const)
  process.on(event, (error: unknown) => {
    // Its state is unknown now. What it had claimed is taken over by the next sweep, once its lease ends.
    log("error", "crashed", describe(error));
    process.exit(1);
  });

const { settings, prompt } = settingsOrExit();
const assembly = assemble(
  {
    ...process.env,
    ...prompt,
    ...(settings.database && {
      HYPERDRIVE: settings.database,
      CONVERSATION_STORAGE_BACKEND: process.env.CONVERSATION_STORAGE_BACKEND || "postgres",
    }),
    ...(settings.mediaDir && { MEDIA: folderBucket(settings.mediaDir) }),
    // The limits of wrangler.toml.
    ENTRY_LIMITER: rateLimiter(30, 60_000),
    DEVICE_LIMITER: rateLimiter(120, 60_000),
    CALLER_LIMITER: rateLimiter(300, 10_000),
  },
  pkg.version,
  log,
);
const work = background();
const context = { waitUntil: work.add, passThroughOnException: () => {}, props: {} };
const isReady = readinessOf(() => assembly.open(log, work.add).hub.store);
if (isReady.misconfigured) process.exit(1); // the problems are logged

const pages = pagesOf(settings.pagesDir);
if (!pages) log("warn", "pages.none", { folder: settings.pagesDir, advice: "npm run build:web" });
const server = await serve({
  ...settings,
  pages,
  fetch: (request) => assembly.app.fetch(request, {}, context as never),
  isReady: isReady.ask,
}).catch((error: unknown) => {
  log("error", "not_listening", { port: settings.port, ...describe(error) });
  return process.exit(1);
});
const sweep = () =>
  sweepOnce(assembly, log, work.add).catch((error: unknown) =>
    log("error", "sweep.crashed", describe(error)),
  );
const stopSweeper = startSweeper(sweep, settings.sweepMs);
log("info", "listening", { port: server.port, host: settings.host, node: process.version });

let isStopping = false;
for (const name of ["SIGTERM", "SIGINT"] as const)
  process.on(name, () => {
    if (isStopping) process.exit(130);
    isStopping = true;
    void stop(settings);
  });

/** Takes no more requests, ends those that run and their background work, and exits. */
async function stop({ stopDelayMs, stopMs }: NodeSettings): Promise<void> {
  const began = Date.now();
  log("info", "stopping", { delay_ms: stopDelayMs, limit_ms: stopMs });
  const swept = stopSweeper();
  server.drain();
  await new Promise((resolve) => setTimeout(resolve, stopDelayMs));
  work.add(swept);
  const deadline = Date.now() + stopMs;
  const isClosed = await server.close(stopMs);
  const isDone = await work.end(Math.max(0, deadline - Date.now()));
  await assembly.end();
  const isWhole = isClosed && isDone;
  log(isWhole ? "info" : "warn", "stopped", { took_ms: Date.now() - began, whole: isWhole });
  process.exit(isWhole ? 0 : 1);
}

function settingsOrExit() {
  try {
    return { settings: nodeSettingsOf(process.env), prompt: promptFromFile(process.env) };
  } catch (error) {
    log("error", "misconfigured", { problems: [toHubError(error).message] });
    return process.exit(1);
  }
}
