/**
 * `npm run demo:content`: a customer on each channel of the running stack writes `/demo`, and the echo bot answers with every
 * kind of reply. Prints what each customer got. Exits with 1 if a kind is missing.
 */
import { randomInt, randomUUID } from "node:crypto";
import { DEMO } from "../src/bots/echo/demo.ts";
import { channels } from "../src/channels/index.ts";
import { prepare } from "../src/core/content/prepare.ts";
import { localSettings } from "./settings.ts";

/** One call that an emulator has taken. */
interface Sent {
  readonly method: string;
  readonly type?: string;
  readonly interactive?: { readonly type: string };
}

const { ports, vars } = localSettings(process.env);
const hub = `http://127.0.0.1:${ports.PORT}`;
const said = DEMO.filter(({ kind }) => kind !== "typing");

const shown = await Promise.all([onTelegram(), onWhatsApp(), onPage("kiosk"), onPage("web")]).catch(
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
const rows = said.map(({ kind }, i) => [kind, ...shown.map((cells) => cells[i] ?? "MISSING")]);
print([["kind", "telegram", "whatsapp", "kiosk", "web"], ...rows]);
const missing = rows.flat().filter((cell) => cell === "MISSING").length;
console.log(missing ? `\n${missing} are missing.` : `\n${said.length} replies, four channels, none missing.`);
process.exitCode = missing ? 1 : 0;

async function onTelegram(): Promise<string[]> {
  const emulator = `http://127.0.0.1:${ports.TELEGRAM_EMULATOR_PORT}`;
  const chat = { id: randomInt(100_000_000, 999_999_999), type: "private" };
  await post(`${emulator}/_customer/message`, { chat, text: "/demo" });
  const sent = await sentTo(emulator, String(chat.id), "setMessageReaction");
  return cellsOf(
    "telegram",
    sent.filter(({ method }) => method !== "sendChatAction"),
  );
}

async function onWhatsApp(): Promise<string[]> {
  const emulator = `http://127.0.0.1:${ports.WHATSAPP_EMULATOR_PORT}`;
  const from = `55119${randomInt(50_000_000, 99_999_999)}`;
  await post(`${emulator}/_customer/message`, { from, name: "Ana", text: "/demo" });
  const sent = await sentTo(emulator, from, "reaction");
  return cellsOf(
    "whatsapp",
    sent.filter(({ method }) => method !== "typing" && method !== "read"),
  );
}

async function onPage(channel: "kiosk" | "web"): Promise<string[]> {
  const key = { "x-api-key": vars[`${channel.toUpperCase()}_API_KEY`]!.split(",")[0]! };
  const phone = `+55119${randomInt(50_000_000, 99_999_999)}`;
  const body = { external_id: randomUUID(), phone, text: "/demo" };
  const { replies } = await post<{ replies: { kind: string; text: string }[] }>(
    `${hub}/webhooks/${channel}?wait=20`,
    body,
    key,
  );
  return replies.map(({ kind }) => kind);
}

/** The calls to a chat, once the last reply of the demo is among them. */
async function sentTo(emulator: string, chat: string, last: string): Promise<Sent[]> {
  for (let waited = 0; waited < 12; waited++) {
    const { sent } = await get<{ sent: Sent[] }>(`${emulator}/_sent?chat_id=${chat}&method=${last}&wait=10`);
    if (sent.length > 0) return (await get<{ sent: Sent[] }>(`${emulator}/_sent?chat_id=${chat}`)).sent;
  }
  throw new Error(`${last} did not reach the customer within two minutes`);
}

/** What each reply became: the calls are as many as the channel's own rendering has parts. */
function cellsOf(name: "telegram" | "whatsapp", sent: readonly Sent[]): string[] {
  const channel = channels[name]!(vars)!;
  const replies = channel.join?.(said) ?? said;
  let at = 0;
  return replies.map((reply) => {
    const { parts, content } = prepare(name, channel, reply, { external_id: "1:1" });
    const calls = sent.slice(at, at + parts.length);
    at += parts.length;
    if (calls.length < parts.length) return "MISSING";
    const words = calls.map(({ method, interactive }) => interactive?.type ?? method);
    const times = words.length > 1 ? `${words.length} x ` : "";
    return `${times}${[...new Set(words)].join(", ")}${"numbered" in content ? ", numbered" : ""}`;
  });
}

function print(lines: readonly (readonly string[])[]): void {
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((cells) => cells[i]!.length)));
  for (const cells of lines)
    console.log(
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    );
}

function get<T>(url: string): Promise<T> {
  return call<T>(url, {});
}

function post<T>(url: string, body: object, headers: Record<string, string> = {}): Promise<T> {
  return call<T>(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

async function call<T>(url: string, init: RequestInit): Promise<T> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(40_000) }).catch(() => {
    throw new Error(`nothing answers at ${new URL(url).origin}; start the stack with "npm run dev" first`);
  });
  if (!answer.ok)
    throw new Error(`${new URL(url).pathname} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}
