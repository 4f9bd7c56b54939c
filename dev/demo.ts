/**
 * `npm run demo`: plays one customer on the web page, the kiosk, WhatsApp and Telegram, over real HTTP against the
 * running stack. Prints each step. Exits with 1 if an answer is not as expected.
 */
import { randomInt, randomUUID } from "node:crypto";
import { styleText } from "node:util";
import { localSettings } from "./settings.ts";

interface Session {
  session_id: string;
  previous_session_id?: string;
  channels: string[];
  expires_at: string;
  data: { cart?: Record<string, number> };
}
interface Message {
  message_id: string;
  channel: string;
  direction: string;
  text: string;
  reply_to: string | null;
  status: string | null;
}
interface Sent {
  n: number;
  text?: string;
}

const { ports, vars } = settings();
const hub = `http://127.0.0.1:${ports.PORT}`;
const telegram = `http://127.0.0.1:${ports.TELEGRAM_EMULATOR_PORT}`;
const whatsapp = `http://127.0.0.1:${ports.WHATSAPP_EMULATOR_PORT}`;
const keyOf = (name: string) => ({ "x-api-key": vars[name]!.split(",")[0]! });

/** The environment variable with the port of each part of the stack. */
const VARIABLES: Readonly<Record<string, string>> = {
  [hub]: "PORT",
  [telegram]: "TELEGRAM_EMULATOR_PORT",
  [whatsapp]: "WHATSAPP_EMULATOR_PORT",
};
/** The name of errors that mean that the stack is not running or has other settings, and not that the hub is wrong. */
const SETUP = "setup";

/** Calls that send a text; not read marks or typing. */
const WORDS = "method=text,sendMessage";

const digits = `55119${randomInt(50_000_000, 99_999_999)}`;
const phone = `+${digits}`;
const customer_id = `demo-${randomUUID()}`;
const chat = { id: randomInt(100_000_000, 999_999_999), type: "private" };
let steps = 0;
let lastExpiry = "";

await play().then(
  () =>
    say(
      styleText(
        "green",
        `\nOne customer, four channels, one session, and one who came back. ${steps} steps, no surprise.`,
      ),
    ),
  (error: Error) => {
    const surprise = error.cause === SETUP ? "" : `Surprise after step ${steps}: `;
    say(styleText("red", `\n${surprise}${error.message}`));
    process.exitCode = 1;
  },
);

async function play(): Promise<void> {
  await get(`${hub}/health`);

  const web = await post<{ session_token: string; session: Session }>(
    `${hub}/session/start`,
    { phone, channel: "web", customer_id, data: { cart: { coffee: 1 } } },
    keyOf("WEB_API_KEY"),
  );
  const { session_id } = web.session;
  const token = { authorization: `Bearer ${web.session_token}` };
  step("web      the shop's page starts a session for its customer", web.session, session_id, ["web"]);

  const chatted = await write("web", { external_id: randomUUID(), text: "Is the coffee fresh?" }, token);
  step(`web      asks; the bot answers: ${chatted.replies[0]?.text}`, chatted.session, session_id, ["web"]);

  const kiosk = await post<{ session_token: string; session: Session }>(
    `${hub}/session/start`,
    { phone, channel: "kiosk" },
    keyOf("KIOSK_API_KEY"),
  ).catch((error: Error) => {
    if (!error.message.includes("verification_required")) throw error;
    throw new Error(
      "this stack runs with KIOSK_PHONE_POLICY=verify; the demo needs trust (as npm run dev sets it)",
      { cause: SETUP },
    );
  });
  say("   (the stack runs with KIOSK_PHONE_POLICY=trust: the kiosk's word for the phone is enough here)");
  expect(kiosk.session.data.cart?.coffee === 1, "the kiosk sees the cart filled on the web");
  step("kiosk    the same customer in the shop: the cart is there", kiosk.session, session_id, [
    "web",
    "kiosk",
  ]);

  const atKiosk = await write(
    "kiosk",
    { external_id: randomUUID(), phone, text: "One more, please" },
    keyOf("KIOSK_API_KEY"),
  );
  step(`kiosk    taps; the bot answers: ${atKiosk.replies[0]?.text}`, atKiosk.session, session_id, [
    "web",
    "kiosk",
  ]);

  const onWhatsApp = await reply(whatsapp, digits, () =>
    post(`${whatsapp}/_customer/message`, { from: digits, name: "Ana", text: "Is my order ready?" }),
  );
  step(`whatsapp writes; the bot answers: ${onWhatsApp}`, await restore(token), session_id, [
    "web",
    "kiosk",
    "whatsapp",
  ]);

  const stranger = await reply(telegram, String(chat.id), () =>
    post(`${telegram}/_customer/message`, { chat, text: "Hello, it's me" }),
  );
  // Telegram does not send a phone, so the hub does not know this customer yet.
  step(`telegram a new chat is a session of its own: ${stranger}`, await restore(token), session_id, [
    "web",
    "kiosk",
    "whatsapp",
  ]);

  const linked = await reply(telegram, String(chat.id), () =>
    post(`${telegram}/_customer/contact`, { chat, own: true, phone_number: digits }),
  );
  // Two sessions became one, which ends their devices' tokens; the shop's server asks for a new one.
  const again = await post<{ session_token: string; session: Session }>(
    `${hub}/session/restore`,
    { phone },
    keyOf("WEB_API_KEY"),
  );
  const all = ["web", "kiosk", "whatsapp", "telegram"];
  step(`telegram shares the own contact card; the sessions merge: ${linked}`, again.session, session_id, all);

  const history = await get<{ messages: Message[] }>(
    `${hub}/api/sessions/${session_id}/messages?limit=200`,
    keyOf("ADMIN_API_KEY"),
  );
  const inbound = history.messages.filter((message) => message.direction === "inbound");
  expect(inbound.length === 5, `5 inbound messages are kept, not ${inbound.length}`);
  for (const message of inbound) {
    const answers = history.messages.filter((other) => other.reply_to === message.message_id);
    expect(
      answers.length === 1,
      `"${message.text}" is answered once, as BOT=echo does, not ${answers.length} times`,
    );
    expect(answers[0]!.channel === message.channel, `"${message.text}" is answered where it was asked`);
  }
  say("\nThe history of the one session:");
  for (const { channel, direction, text } of history.messages)
    say(`  ${channel.padEnd(9)}${direction === "inbound" ? ">" : "<"} ${text.replaceAll("\n", " ")}`);
  await comeBack(session_id, again.session_token);
}

/** The same customer some time later: greeted in their language, books a table, rates, and is found by search. */
async function comeBack(session_id: string, session_token: string): Promise<void> {
  const admin = keyOf("ADMIN_API_KEY");
  say("\nThe customer comes back:");
  await call(`${hub}/api/customers/${customer_id}`, {
    ...json({ name: "Asha", preferred_language: "hi" }, admin),
    method: "PATCH",
  });
  await post(`${hub}/session/end`, {}, { authorization: `Bearer ${session_token}` });
  done("shop     notes her name and language, and the session ends");

  const greeting = await reply(telegram, String(chat.id), () =>
    post(`${telegram}/_customer/message`, { chat, text: "Do you have a table tomorrow?" }),
  );
  expect(greeting.startsWith("नमस्ते Asha!"), "she is greeted by name in Hindi");
  const found = await get<{ sessions: Session[] }>(
    `${hub}/api/sessions?customer_id=${customer_id}&status=active`,
    admin,
  );
  const [session] = found.sessions;
  expect(session?.previous_session_id === session_id, "the new session names the last one");
  done(`telegram writes in a new session; the bot answers: ${greeting}`);

  const evening = `${new Date(Date.now() + 86_400_000).toISOString().slice(0, 10)}T19:00Z`;
  const booked = await reply(telegram, String(chat.id), () =>
    post(`${telegram}/_customer/message`, { chat, text: `/book 4 ${evening}` }),
  );
  const { reservations } = await get<{ reservations: { guests: number; status: string }[] }>(
    `${hub}/api/reservations?customer_id=${customer_id}`,
    admin,
  );
  expect(reservations.length === 1 && reservations[0]!.guests === 4, "the table is booked once, for 4");
  done(`telegram books a table; the bot answers: ${booked}`);

  const { rating } = await post<{ rating: number }>(
    `${hub}/api/sessions/${session!.session_id}/rate`,
    { rating: 5, feedback: "बहुत अच्छा" },
    keyOf("WEB_API_KEY"),
  );
  expect(rating === 5, "the rating is kept");
  done("web      rates the talk with 5");

  const query = `customer_id=${customer_id}&q=${encodeURIComponent("coffee")}`;
  const { results } = await get<{ results: { session_id: string; snippet: string }[] }>(
    `${hub}/api/search/messages?${query}`,
    admin,
  );
  const first = results.find((one) => one.session_id === session_id);
  expect(first !== undefined, "the search finds what she wrote in her first session");
  done(`shop     searches her messages for "coffee": ${first!.snippet}`);
}

function done(what: string): void {
  steps += 1;
  say(`${String(steps).padStart(2)}. ${what}`);
}

function step(what: string, session: Session, session_id: string, channels: string[]): void {
  done(what);
  say(
    styleText(
      "dim",
      `    session ${session.session_id}  channels ${session.channels.join(", ")}  expires_at ${session.expires_at}`,
    ),
  );
  expect(session.session_id === session_id, `the session stays ${session_id}`);
  expect(session.channels.join() === channels.join(), `the channels are ${channels.join(", ")}`);
  expect(session.expires_at > lastExpiry, "expires_at moves");
  lastExpiry = session.expires_at;
}

function write(channel: string, body: object, headers: Record<string, string>) {
  return post<{ session: Session; replies: Message[] }>(`${hub}/webhooks/${channel}?wait=10`, body, headers);
}

/** The text that the bot sends to this chat after `act`. */
async function reply(emulator: string, chat_id: string, act: () => Promise<unknown>): Promise<string> {
  const before = await get<{ sent: Sent[] }>(`${emulator}/_sent?chat_id=${chat_id}&${WORDS}`);
  await act();
  const after = before.sent.at(-1)?.n ?? 0;
  const { sent } = await get<{ sent: Sent[] }>(
    `${emulator}/_sent?chat_id=${chat_id}&${WORDS}&after=${after}&wait=10`,
  );
  const text = sent.find((one) => one.text)?.text;
  if (text === undefined) throw new Error("no reply reached the customer within 10 s");
  return text;
}

async function restore(token: Record<string, string>): Promise<Session> {
  return (await post<{ session: Session }>(`${hub}/session/restore`, {}, token)).session;
}

function get<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  return call<T>(url, { headers });
}

function post<T>(url: string, body: object, headers: Record<string, string> = {}): Promise<T> {
  return call<T>(url, json(body, headers));
}

function json(body: object, headers: Record<string, string>): RequestInit {
  return {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  };
}

async function call<T>(url: string, init: RequestInit): Promise<T> {
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) }).catch((error: Error) => {
    const { origin } = new URL(url);
    if (error.name === "TimeoutError") throw new Error(`${origin} did not answer within 20 s`);
    throw new Error(
      `nothing answers at ${origin}; start the stack with "npm run dev" first, or set ${VARIABLES[origin]} as there`,
      { cause: SETUP },
    );
  });
  if (!answer.ok)
    throw new Error(
      `${init.method ?? "GET"} ${new URL(url).pathname} answered ${answer.status}: ${await answer.text()}`,
    );
  return (await answer.json()) as T;
}

function settings() {
  try {
    return localSettings(process.env);
  } catch (error) {
    say(styleText("red", (error as Error).message));
    process.exit(1);
  }
}

function expect(truth: boolean, what: string): void {
  if (!truth) throw new Error(`expected that ${what}`);
}

function say(line: string): void {
  console.log(line);
}
