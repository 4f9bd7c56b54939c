/** Measures the memory of workerd while it passes a file of 100 MB on, beside a small one, and how fast the bytes come. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { startWhatsAppEmulator } from "../dev/emulators/whatsapp.ts";
import { freePort } from "../dev/services/ports.ts";
import { bundle, HUB } from "./lib/bundle.ts";
import { startDatabases } from "./lib/database.ts";
import { type Aim, type Bench, type Result, scaled } from "./lib/result.ts";
import { startWorkerd } from "./lib/workerd.ts";

const MB = 1024 * 1024;
/** How much more memory a file of 100 MB may take than one of 1 MB. */
const MORE_MB = 16;
const SAMPLE_MS = 10;
/** A reader that is slower than the platform, in bytes a second. */
const SLOW = 20 * MB;

interface Measured {
  readonly name: string;
  readonly mb: number;
  readonly seconds: number;
  /** The most memory above that before the download. */
  readonly moreMb: number;
}

export const media: Bench = {
  name: "media",
  async run(context) {
    const { dir, progress } = context;
    const stops: (() => Promise<unknown>)[] = [];
    try {
      progress("bundling the Worker");
      const databases = await startDatabases(dir);
      stops.unshift(() => databases.stop());
      const databaseUrl = await databases.createHub("media");
      const whatsapp = await startWhatsAppEmulator({
        port: await freePort(),
        accessToken: "access-token",
        appSecret: "app-secret",
        verifyToken: "verify-token",
        phoneNumberId: "100000000000001",
        limits: false,
      });
      stops.unshift(() => whatsapp.stop());
      const worker = await startWorkerd({
        name: "hub",
        bundle: await bundle(HUB, join(dir, "hub")),
        databaseUrl,
        vars: {
          ENVIRONMENT: "development",
          ADMIN_API_KEY: "admin-key",
          MEDIA_MAX_MB: "500",
          BOT: "echo",
          CONVERSATION_STORAGE_BACKEND: "postgres",
          WHATSAPP_ACCESS_TOKEN: "access-token",
          WHATSAPP_APP_SECRET: "app-secret",
          WHATSAPP_VERIFY_TOKEN: "verify-token",
          WHATSAPP_PHONE_NUMBER_ID: "100000000000001",
          WHATSAPP_API_ROOT: whatsapp.url,
        },
      });
      stops.unshift(() => worker.stop());
      const hub = `http://127.0.0.1:${worker.port}`;
      const control = async (path: string, body: object) => {
        const answer = await fetch(whatsapp.url + path, { method: "POST", body: JSON.stringify(body) });
        await answer.arrayBuffer();
      };
      await control("/_settings", { webhookUrl: `${hub}/webhooks/whatsapp` });
      const sql = databases.adminOf("media");
      const fileOf = async (mb: number): Promise<string> => {
        const query = `size=${mb * MB}&type=video/mp4`;
        const { id } = (await (
          await fetch(`${whatsapp.url}/_customer/file?${query}`, { method: "POST" })
        ).json()) as { id: string };
        await control("/_customer/message", { from: "5511987654321", type: "video", video: { id } });
        const [row] = await sql`select message_id from messages where content -> 'media' ->> 'id' = ${id}`;
        return `${hub}/api/media/${row!.message_id}`;
      };
      const [small, large, huge] = [await fileOf(1), await fileOf(100), await fileOf(400)];
      const read = (url: string, bytesPerSecond?: number) => drain(url, bytesPerSecond);
      // The first requests compile and connect, and the engine's heap grows to the size at which it is swept.
      for (let i = 0; i < 4; i++) {
        await read(small);
        await read(large);
      }
      const rounds = scaled(context, 5, 2);
      const figures: Measured[] = [];
      const measure = async (name: string, mb: number, work: () => Promise<unknown>) => {
        let best: Measured | undefined;
        for (let round = 0; round < rounds; round++) {
          progress(`${name}, ${round + 1} of ${rounds}`);
          const measured = { name, mb, ...(await watched(worker.pid, work)) };
          if (!best || measured.moreMb > best.moreMb) best = measured;
        }
        figures.push(best!);
      };
      await measure("1 MB", 1, () => read(small));
      await measure("100 MB", 100, () => read(large));
      await measure("400 MB", 400, () => read(huge));
      await measure("100 MB, a slow reader", 100, () => read(large, SLOW));
      await measure("100 MB, two at once", 200, () => Promise.all([read(large), read(large)]));
      return resultOf(figures);
    } finally {
      for (const stop of stops) await stop();
    }
  },
};

async function drain(url: string, bytesPerSecond?: number): Promise<void> {
  const answer = await fetch(url, { headers: { "x-api-key": "admin-key" } });
  if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
  const wanted = Number(answer.headers.get("content-length"));
  const began = performance.now();
  let size = 0;
  for await (const chunk of answer.body!) {
    size += chunk.byteLength;
    const early = bytesPerSecond ? (size / bytesPerSecond) * 1_000 - (performance.now() - began) : 0;
    if (early > 1) await new Promise((later) => setTimeout(later, early));
  }
  if (size !== wanted) throw new Error(`${size} of ${wanted} bytes came`);
}

/** How long the work takes, and the most memory of a process above that before it, in MB. */
async function watched(
  pid: number,
  work: () => Promise<unknown>,
): Promise<{ seconds: number; moreMb: number }> {
  const before = memoryMb(pid);
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, memoryMb(pid));
  }, SAMPLE_MS);
  const began = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  const seconds = (performance.now() - began) / 1_000;
  return { seconds, moreMb: Math.max(most, memoryMb(pid)) - before };
}

/** The resident memory of a process; Linux only. */
function memoryMb(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1_024;
}

function resultOf(figures: readonly Measured[]): Result {
  const [small, ...large] = figures as [Measured, ...Measured[]];
  const aims: Aim[] = large
    .filter(({ name }) => name.startsWith("100 MB"))
    .map(({ name, moreMb }) => ({
      aim: `${name}: at most ${MORE_MB} MB more memory than a file of 1 MB`,
      found: `${(moreMb - small.moreMb).toFixed(1)} MB`,
      met: moreMb - small.moreMb <= MORE_MB,
    }));
  const table = {
    title: "media: workerd passes a WhatsApp customer's file on; the most memory of all rounds",
    columns: ["", "memory", "time", "MB/s"],
    rows: figures.map(({ name, mb, seconds, moreMb }) => [
      name,
      `+${moreMb.toFixed(1)} MB`,
      `${seconds.toFixed(2)} s`,
      (mb / seconds).toFixed(0),
    ]),
  };
  const notes = [
    "The first large file makes the engine's heap grow once, by up to a hundred MB, before it is swept; that is not counted here.",
  ];
  return { tables: [table], aims, notes, figures };
}
