// The peer of the benchmark: an echo bot on vercel/chat and its Postgres state, behind node:http. README.md says how it
// is configured and why.
import { createServer } from "node:http";
import { createPostgresState } from "@chat-adapter/state-pg";
import { createTelegramAdapter } from "@chat-adapter/telegram";
import { createWhatsAppAdapter } from "@chat-adapter/whatsapp";
import { Chat } from "chat";
import pg from "pg";

const { env } = process;
const numberOf = (name, fallback) => (env[name] ? Number(env[name]) : fallback);

// Log errors only, one line each, by code. The peer's own logger prints whole errors, which may hold phone numbers.
const failures = {};
const nothing = () => {};
const logger = { debug: nothing, info: nothing, warn: nothing, error: report, child: () => logger };

function report(message, context) {
  const code = context?.error?.code ?? context?.error?.name ?? message;
  failures[code] = (failures[code] ?? 0) + 1;
  console.error(`${message}: ${code}`);
}

const adapters = {
  ...(env.WHATSAPP_ACCESS_TOKEN && {
    whatsapp: createWhatsAppAdapter({
      accessToken: env.WHATSAPP_ACCESS_TOKEN,
      appSecret: env.WHATSAPP_APP_SECRET,
      phoneNumberId: env.WHATSAPP_PHONE_NUMBER_ID,
      verifyToken: env.WHATSAPP_VERIFY_TOKEN,
      apiUrl: env.WHATSAPP_API_ROOT,
      apiVersion: env.WHATSAPP_API_VERSION || "v25.0",
      logger,
    }),
  }),
  ...(env.TELEGRAM_BOT_TOKEN && {
    telegram: createTelegramAdapter({
      botToken: env.TELEGRAM_BOT_TOKEN,
      secretToken: env.TELEGRAM_WEBHOOK_SECRET,
      apiUrl: env.TELEGRAM_API_ROOT,
      mode: "webhook",
      logger,
    }),
  }),
};

// Connections stay open between bursts, as with the hub.
const pool = new pg.Pool({
  connectionString: env.DATABASE_URL,
  max: numberOf("PEER_POOL_SIZE", 10),
  idleTimeoutMillis: 0,
});

const chat = new Chat({
  userName: "echo",
  adapters,
  state: createPostgresState({ client: pool, logger }),
  concurrency: concurrency(env.PEER_CONCURRENCY || "queue"),
  history: {
    thread: {
      maxMessages: numberOf("PEER_HISTORY_MESSAGES", undefined),
      ttlMs: numberOf("PEER_HISTORY_TTL_MS", undefined),
    },
  },
  logger,
});

/**
 * The default queue holds ten messages and then drops the oldest. The benchmark counts replies, so it needs all of
 * them.
 */
function concurrency(strategy) {
  return strategy === "queue" ? { strategy, maxQueueSize: 1000 } : strategy;
}

// The queue puts all messages that came during the last turn into one turn. Each of them gets a reply of its own here.
chat.onDirectMessage(async (thread, message, _channel, context) => {
  for (const { text } of [...(context?.skipped ?? []), message]) await thread.post(`You said: ${text}`);
});

const background = new Set();

/** Tracks the work after a webhook was answered, as a platform's `waitUntil` does. */
function waitUntil(task) {
  const settled = task.catch(() => {}).finally(() => background.delete(settled));
  background.add(settled);
}

const server = createServer(async (incoming, outgoing) => {
  try {
    const response = await answer(incoming);
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  } catch (error) {
    report("webhook failed", { error });
    outgoing.writeHead(500).end();
  }
});

async function answer(incoming) {
  const url = new URL(incoming.url, "http://127.0.0.1");
  if (url.pathname === "/health")
    return Response.json({ status: "ok", background: background.size, failures });
  const webhook = chat.webhooks[url.pathname.match(/^\/webhooks\/(\w+)$/)?.[1]];
  if (!webhook) return new Response("Not found", { status: 404 });
  const { method, headers } = incoming;
  const body = method === "POST" ? await bytes(incoming) : undefined;
  return webhook(new Request(url, { method, headers, body }), { waitUntil });
}

async function bytes(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function stop() {
  server.close();
  server.closeIdleConnections();
  await Promise.all(background);
  await chat.shutdown();
  await pool.end();
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, stop);

// Create the peer's tables and call the emulator's `getMe` now, so that the first webhook does not wait for them.
await chat.initialize();
server.keepAliveTimeout = 65_000;
server.listen(numberOf("PORT", 8790), "127.0.0.1", () => {
  console.log(`peer ready on http://127.0.0.1:${server.address().port}`);
});
