/** `npm run dev`: the whole hub on this machine. `-- --fresh` empties its state first. */
import { parseArgs, styleText } from "node:util";
import { addDeskUser, DESK_USER } from "./desk-user.ts";
import { localKeys } from "./services/supabase.ts";
import { localSettings } from "./settings.ts";
import { type Simulator, startSimulator } from "./simulator/simulator.ts";
import { forget, type Stack, startStack } from "./stack.ts";

// The terminal that reads the output may close first; writing then fails.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

/** Warnings that are normal for a local stack. */
const EXPECTED = [
  /Scheduled Workers are not automatically triggered/, // this file triggers them
  /"event":"rate_limits\.off"/, // a local stack does not limit calls
  /disconnected: .*(Broken pipe|Connection reset)/, // from workerd, when a client closes the connection first
];

const fresh = read(freshOf);
const settings = read(() => localSettings(process.env));
if (fresh) await forget(settings);
let stack: Stack | undefined;
let simulator: Simulator | undefined;
let leaving = false;
const left = new Promise<void>((resolve) => {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (leaving && name === "SIGHUP") return; // a closing terminal may send it twice
      if (leaving) process.exit(130);
      leaving = true;
      say("\nstopping; once more to stop at once");
      resolve();
    });
  }
});

try {
  stack = await startStack(settings, {
    progress: (part, state, took) => {
      if (state === "ready")
        say(`  ${styleText("green", "ready")}  ${part.padEnd(22)} ${Math.round(took!)} ms`);
    },
    workerLog: (line) => {
      simulator?.log(line);
      if (!line || line.startsWith("[wrangler:info]") || EXPECTED.some((one) => one.test(line))) return;
      if (stack || isTrouble(line)) say(styleText("dim", `worker | ${line}`));
    },
    pagesLog: (line) => say(styleText("red", line)),
  });
  simulator = await startSimulator(stack);
  await addDeskUser(stack);
  table(stack, simulator);
  const cron = setInterval(() => void sweep(stack!), settings.sweepSeconds * 1000);
  await Promise.race([left, stack.fallen.then(() => fallen("the Worker"))]);
  clearInterval(cron);
  await simulator.stop();
  await stack.stop();
  say("stopped");
} catch (error) {
  say(styleText("red", error instanceof Error ? error.message : String(error)));
  await simulator?.stop();
  await stack?.stop();
  process.exitCode = 1;
}
process.exit();

function freshOf(): boolean {
  try {
    return parseArgs({ options: { fresh: { type: "boolean", default: false } } }).values.fresh;
  } catch {
    const given = process.argv.slice(2).join(" ");
    throw new Error(`"${given}" is not understood; the only flag is --fresh: npm run dev -- --fresh`);
  }
}

/**
 * Whether a line is a warning or an error, of the hub or of wrangler. These are printed even before the Worker is
 * ready.
 */
function isTrouble(line: string): boolean {
  return /"level":"(warn|error)"|\[(WARNING|ERROR|wrangler:warn|wrangler:error)\]/.test(line);
}

function read<T>(setting: () => T): T {
  try {
    return setting();
  } catch (error) {
    say(styleText("red", (error as Error).message));
    process.exit(1);
  }
}

async function sweep({ worker }: Stack): Promise<void> {
  try {
    await worker.sweep();
  } catch {
    if (!leaving) say("the sweep was not answered");
  }
}

function fallen(part: string): void {
  if (leaving) return;
  say(styleText("red", `${part} has ended by itself`));
  process.exitCode = 1;
}

function table(
  { settings, postgres, supabase, redis, telegram, whatsapp, worker }: Stack,
  { url }: Simulator,
): void {
  const { vars } = settings;
  const rows: [string, string, string][] = [
    ["Hub", worker.url, `kiosk ${vars.KIOSK_API_KEY}, web ${vars.WEB_API_KEY}, admin ${vars.ADMIN_API_KEY}`],
    ["Web chat", `${worker.url}/chat-example`, vars.LLM_MODEL ? `answered by ${vars.LLM_MODEL}` : ""],
    ["Desk", `${worker.url}/desk`, `${DESK_USER.email}, password ${vars.DESK_PASSWORD}`],
    ["API page", `${worker.url}/docs`, "description at /openapi.json"],
    [
      "Telegram emulator",
      telegram.url,
      `token ${vars.TELEGRAM_BOT_TOKEN}, secret ${vars.TELEGRAM_WEBHOOK_SECRET}`,
    ],
    [
      "WhatsApp emulator",
      whatsapp.url,
      `token ${vars.WHATSAPP_ACCESS_TOKEN}, app secret ${vars.WHATSAPP_APP_SECRET}`,
    ],
    ["Supabase REST", supabase.url, `service ${localKeys.serviceRoleKey}`],
    ["Postgres", postgres.url, ""],
    ["Upstash REST", redis.url, `token ${redis.token}`],
    ["Valkey", redis.redisUrl, ""],
  ];
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  say("");
  for (const [name, url, keys] of rows)
    say(`  ${styleText("bold", name.padEnd(width(0)))}  ${url.padEnd(width(1))}  ${keys}`);
  if (vars.KIOSK_PHONE_POLICY === "trust")
    say(
      "\n  KIOSK_PHONE_POLICY=trust: a phone typed at the kiosk is believed. A deployed hub wants it proven (verify).",
    );
  say(
    `\n  ${styleText("bold", "Open")} ${url}/simulator and press "Play the story": one customer, four devices, the hub from inside.`,
  );
  say(
    `  State lies in ${settings.dir}; the sweep runs every ${settings.sweepSeconds} s. In another terminal: npm run demo. Ctrl-C stops everything.\n`,
  );
}

function say(line: string): void {
  console.log(line);
}
