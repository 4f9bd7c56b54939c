/** The platform's side of every benchmark, in one process: the WhatsApp emulator and its customers. */
import diagnostics from "node:diagnostics_channel";
import { createServer, type IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { startWhatsAppEmulator } from "../../dev/emulators/whatsapp.ts";
import { runService } from "../../dev/services/process.ts";
import { type Connection, headOf, open } from "./client.ts";
import type { Load, LoadOptions, Sequence, SequenceOptions } from "./platform.ts";
import { SECRETS, SHORTEST_REPLY_BYTES, webhookOf } from "./webhook.ts";

const PATIENCE_MS = 10_000;
/** The most messages that may stay unanswered: a slow store leaves turns to the sweep, which does not run here. */
const LOST = 100;
const REDELIVERY_MS = 500;
const replies = replyCounter();

runService(async ({ control }: { control: number }) => {
  const emulator = await startWhatsAppEmulator({
    port: 0,
    accessToken: SECRETS.WHATSAPP_ACCESS_TOKEN,
    appSecret: SECRETS.WHATSAPP_APP_SECRET,
    verifyToken: SECRETS.WHATSAPP_VERIFY_TOKEN,
    phoneNumberId: SECRETS.WHATSAPP_PHONE_NUMBER_ID,
    statuses: false,
    strict: false,
    keep: 500_000,
  });
  const work: Record<string, (options: never) => Promise<unknown>> = { sequence, load };
  const server = createServer(async (request, response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const done = await work[request.url!.slice(1)]!(JSON.parse(Buffer.concat(chunks).toString()) as never);
      response.end(JSON.stringify(done));
    } catch (error) {
      response.writeHead(500).end(error instanceof Error ? error.message : String(error));
    }
  });
  await new Promise<void>((done) => server.listen(control, "127.0.0.1", done));
  return {
    facts: { url: emulator.url },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await emulator.stop();
    },
  };
});

/** One customer after the other writes: each when the previous message was acknowledged and, if asked, answered. */
async function sequence(options: SequenceOptions): Promise<Sequence> {
  const { port, path, count, from, customers, first, answered, pauseMs } = options;
  const head = headOf(path);
  const connection = await open(port);
  const acks: number[] = [];
  const answers: number[] = [];
  for (let i = 0; i < count; i++) {
    const { body, header } = webhookOf(from + ((first + i) % customers), "text");
    const reply = answered ? replies.next() : undefined;
    const began = performance.now();
    const status = await connection.post(head + header, body);
    if (status !== 200) throw new Error(`a webhook was answered ${status}`);
    acks.push(performance.now() - began);
    if (reply) answers.push((await inTime(reply, "no reply")) - began);
    await sleep(pauseMs);
  }
  connection.close();
  return { acks, answers };
}

/**
 * Many customers write at once, for a time or a number of messages. Each writes again once it is answered or
 * acknowledged.
 */
async function load(options: LoadOptions): Promise<Load> {
  const { port, path, inFlight, from, customers, first, answered, kind } = options;
  const head = headOf(path);
  const idle: Connection[] = await Promise.all(Array.from({ length: inFlight }, () => open(port)));
  const all = [...idle];
  const began = performance.now();
  const ends = options.seconds === undefined ? Number.POSITIVE_INFINITY : began + options.seconds * 1000;
  const most = options.messages ?? Number.POSITIVE_INFINITY;
  const over = Promise.withResolvers<void>();
  const received = replies.count;
  let sent = 0;
  let acked = 0;
  let again = 0;
  let doneInTime = 0;
  let lastNews = began;
  let news = 0;
  let lost = 0;

  const done = () => (answered ? replies.count - received : acked);
  const fill = () => {
    const now = performance.now();
    if (now < ends) doneInTime = done();
    if (acked + done() > news) {
      news = acked + done();
      lastNews = now;
    }
    while (now < ends && sent < most && idle.length > 0 && sent - done() - lost < inFlight) {
      const connection = idle.pop()!;
      const { body, header } = webhookOf(from + ((first + sent) % customers), kind);
      sent++;
      deliver(connection, head + header, body).then((tries) => {
        again += tries - 1;
        acked++;
        idle.push(connection);
        fill();
      }, over.reject);
    }
    if (now > lastNews + PATIENCE_MS) {
      lost = sent - done();
      lastNews = now;
      if (acked < sent || lost > LOST)
        over.reject(new Error(`${lost} of ${sent} messages were not answered`));
    }
    if ((now >= ends || sent >= most) && acked === sent && done() + lost >= sent) over.resolve();
  };
  replies.listen(answered ? fill : undefined);
  const timer = setInterval(fill, 50);
  fill();
  try {
    await over.promise;
  } finally {
    clearInterval(timer);
    replies.listen(undefined);
    for (const connection of all) connection.close();
  }
  const timed = Number.isFinite(ends);
  const seconds = timed ? options.seconds! : (lastNews - began) / 1000;
  return { sent, done: timed ? doneInTime : done(), unanswered: sent - done(), again, seconds };
}

/** Delivers a webhook until it is accepted, as a platform does. Returns the number of repetitions. */
async function deliver(connection: Connection, head: string, body: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    const status = await connection.post(head, body);
    if (status === 200) return tries;
    if (status !== 503) throw new Error(`a webhook was answered ${status}`);
    await sleep(REDELIVERY_MS);
  }
}

/**
 * Notes each reply when its head arrives, before the emulator works on it. A read mark is shorter and does not count.
 */
function replyCounter() {
  const messages = /^\/v[\d.]+\/\d+\/messages$/;
  let waiting: ((at: number) => void) | undefined;
  let listener: (() => void) | undefined;
  const counter = {
    count: 0,
    /** Resolves with the time of the next one. */
    next: () => new Promise<number>((resolve) => (waiting = resolve)),
    listen(to: (() => void) | undefined) {
      listener = to;
    },
  };
  diagnostics.subscribe("http.server.request.start", (event) => {
    const { url = "", headers } = (event as { request: IncomingMessage }).request;
    if (!messages.test(url) || !(Number(headers["content-length"]) >= SHORTEST_REPLY_BYTES)) return;
    counter.count++;
    waiting?.(performance.now());
    waiting = undefined;
    listener?.();
  });
  return counter;
}

async function inTime<T>(work: Promise<T>, otherwise: string): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const late = setTimeout(
    () => timer.reject(new Error(`${otherwise} within ${PATIENCE_MS / 1000} s`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([work, timer.promise]);
  } finally {
    clearTimeout(late);
  }
}
