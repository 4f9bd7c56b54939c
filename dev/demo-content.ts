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

/** What a customer got, and their session. */
interface Shown {
  readonly cells: readonly string[];
  readonly session: string;
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
/** What an operator does to the first reply of each customer afterwards. */
const CHANGES = [
  ["edit", "PATCH", "", { text: "Changed by an operator" }],
  ["reaction", "PUT", "/reaction", { emoji: "👍" }],
  ["pin", "PUT", "/pin", undefined],
  ["unpin", "DELETE", "/pin", undefined],
  ["delete", "DELETE", "", undefined],
] as const;
const changed = await Promise.all(shown.map(({ session }) => changes(session)));
const rows = [
  ...said.map(({ kind }, i) => [kind, ...shown.map(({ cells }) => cells[i] ?? "MISSING")]),
  ...CHANGES.map(([name], i) => [`${name} (operator)`, ...changed.map((cells) => cells[i]!)]),
];
print([["kind", "telegram", "whatsapp", "kiosk", "web"], ...rows]);
const missing = rows.flat().filter((cell) => cell === "MISSING").length;
console.log(
  missing
    ? `\n${missing} are missing.`
    : `\n${said.length} replies and ${CHANGES.length} changes, four channels, none missing.`,
);
process.exitCode = missing ? 1 : 0;

/** What came of an operator's changes: made, or refused because the channel has no such thing. */
async function changes(session: string): Promise<string[]> {
  const headers = { "x-api-key": vars.ADMIN_API_KEY!.split(",")[0]!, "content-type": "application/json" };
  const page = await fetch(`${hub}/api/sessions/${session}/messages?limit=200`, { headers });
  const { messages } = (await page.json()) as { messages: { role: string; message_id: string }[] };
  const id = messages.find(({ role }) => role === "assistant")?.message_id;
  const cells: string[] = [];
  for (const [, method, path, body] of CHANGES) {
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
    const answer = await fetch(`${hub}/api/messages/${id}${path}`, init);
    cells.push(answer.ok ? "made" : answer.status === 409 ? "refused" : "MISSING");
  }
  return cells;
}

/** The session of a platform's customer. */
async function sessionOf(query: string): Promise<string> {
  const headers = { "x-api-key": vars.ADMIN_API_KEY!.split(",")[0]! };
  const found = await fetch(`${hub}/api/sessions?${query}`, { headers });
  const { sessions } = (await found.json()) as { sessions: { session_id: string }[] };
  return sessions[0]!.session_id;
}

async function onTelegram(): Promise<Shown> {
  const emulator = `http://127.0.0.1:${ports.TELEGRAM_EMULATOR_PORT}`;
  const chat = { id: randomInt(100_000_000, 999_999_999), type: "private" };
  await post(`${emulator}/_customer/message`, { chat, text: "/demo" });
  const sent = await sentTo(emulator, String(chat.id), "setMessageReaction");
  const cells = cellsOf(
    "telegram",
    sent.filter(({ method }) => !["sendChatAction", "sendMessageDraft"].includes(method)),
  );
  return { cells, session: await sessionOf(`telegram_chat_id=${chat.id}`) };
}

async function onWhatsApp(): Promise<Shown> {
  const emulator = `http://127.0.0.1:${ports.WHATSAPP_EMULATOR_PORT}`;
  const from = `55119${randomInt(50_000_000, 99_999_999)}`;
  await post(`${emulator}/_customer/message`, { from, name: "Ana", text: "/demo" });
  const sent = await sentTo(emulator, from, "reaction");
  const cells = cellsOf(
    "whatsapp",
    sent.filter(({ method }) => method !== "typing" && method !== "read"),
  );
  return { cells, session: await sessionOf(`phone=%2B${from}`) };
}

async function onPage(channel: "kiosk" | "web"): Promise<Shown> {
  const key = { "x-api-key": vars[`${channel.toUpperCase()}_API_KEY`]!.split(",")[0]! };
  const phone = `+55119${randomInt(50_000_000, 99_999_999)}`;
  const body = { external_id: randomUUID(), phone, text: "/demo" };
  const { replies, session } = await post<{
    replies: { kind: string }[];
    session: { session_id: string };
  }>(`${hub}/webhooks/${channel}?wait=20`, body, key);
  return { cells: replies.map(({ kind }) => kind), session: session.session_id };
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
    const counted = [...new Set(words)].map((word) => {
      const times = words.filter((one) => one === word).length;
      return times > 1 ? `${times} x ${word}` : word;
    });
    return `${counted.join(", ")}${"numbered" in content ? ", numbered" : ""}`;
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
