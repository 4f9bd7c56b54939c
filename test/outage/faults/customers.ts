import { type Dice, dice } from "./random.ts";
import type { Rig } from "./rig.ts";

/** One message as its sender remembers it. */
export interface Said {
  readonly customer: number;
  readonly channel: string;
  /** Unique in the run, and the whole text: what the bot's echo is found by. */
  readonly text: string;
  readonly startedAt: number;
  /** When a 200 or 202 came; absent while none has. */
  ackedAt?: number;
  /** It went to the journal: the store was away. A platform is not told that. */
  unpersisted?: boolean;
}

export interface Customers {
  readonly said: Said[];
  /** Stops writing, and resolves when every message has been acknowledged. */
  finish(): Promise<void>;
}

const CHANNELS = ["whatsapp", "telegram", "kiosk", "web"] as const;
const GIVE_UP_MS = 180_000;
let lastRefusal = "";

/** Customers who each write one message after the other, on any channel, and send again until they are acknowledged. */
export function startCustomers(rig: Rig, seed: number, count: number, pauseMs: number): Customers {
  const said: Said[] = [];
  let writing = true;
  const lives = Array.from({ length: count }, (_, customer) => live(customer, dice(seed + 1_000 + customer)));
  return {
    said,
    finish: async () => {
      writing = false;
      await Promise.all(lives);
    },
  };

  async function live(customer: number, chance: Dice): Promise<void> {
    const person = personOf(customer);
    // Telegram tells no phone: the own card makes both one session, before anything else can open a second one.
    await until(() => write("telegram", person, `card ${seed}-${customer}`));
    for (let n = 0; writing; n++) {
      await pause(chance.between(0, pauseMs * 2));
      const channel = chance.pick(CHANNELS);
      const one: Said = { customer, channel, text: `m-${seed}-${customer}-${n}`, startedAt: Date.now() };
      said.push(one);
      const answer = await until(() => write(channel, person, one.text));
      one.ackedAt = Date.now();
      if (answer.persisted === false) one.unpersisted = true;
    }
  }

  async function write(
    channel: string,
    person: Person,
    text: string,
  ): Promise<{ persisted?: boolean } | undefined> {
    const { vars } = rig.settings;
    if (channel === "telegram") {
      const card = text.startsWith("card ") ? { own: true, phone_number: person.digits } : undefined;
      const path = card ? "contact" : "message";
      // The emulator answers when the webhook was delivered; it delivers again by itself until it is acknowledged.
      return delivered(
        await post(`${rig.telegram}/_customer/${path}`, { chat: person.chat, ...(card ?? { text }) }),
        () => seen("telegram"),
      );
    }
    if (channel === "whatsapp")
      return delivered(await post(`${rig.whatsapp}/_customer/message`, { from: person.digits, text }), () =>
        seen("whatsapp"),
      );
    const key = channel === "kiosk" ? vars.KIOSK_API_KEY! : vars.WEB_API_KEY!;
    const answer = await post(
      `${rig.hub}/webhooks/${channel}`,
      { external_id: text, phone: person.phone, text },
      { "x-api-key": key },
    );
    if (answer.status === 200 || answer.status === 202) return answer.body as { persisted?: boolean };
    lastRefusal = `${channel} answered ${answer.status} ${JSON.stringify(answer.body)}`;
    if (answer.status >= 400 && answer.status < 500)
      throw new Error(`${channel} refused with ${answer.status}: ${JSON.stringify(answer.body)}`);
    return undefined;
  }

  /** The emulator's own redelivery ends in a 200: what is still on its way shows in its statistics. */
  async function delivered(
    answer: { body: unknown },
    wait: () => Promise<void>,
  ): Promise<{ persisted?: boolean }> {
    if ((answer.body as { status?: number }).status !== 200) await wait();
    return {};
  }

  async function seen(platform: "telegram" | "whatsapp"): Promise<void> {
    for (;;) {
      const { stats } = (await (await fetch(`${rig[platform]}/_delivery`)).json()) as {
        stats: { pending: number };
      };
      if (stats.pending === 0) return;
      await pause(200);
    }
  }
}

interface Person {
  readonly digits: string;
  readonly phone: string;
  readonly chat: { id: number; type: string };
}

function personOf(customer: number): Person {
  const digits = `1555${String(2_000_000 + customer)}`;
  return { digits, phone: `+${digits}`, chat: { id: 500_000 + customer, type: "private" } };
}

async function post(
  url: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown }> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    return { status: answer.status, body: await answer.json().catch(() => ({})) };
  } catch {
    return { status: 0, body: {} };
  }
}

async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + GIVE_UP_MS;
  for (;;) {
    const done = await attempt();
    if (done !== undefined) return done;
    if (Date.now() > deadline)
      throw new Error(`a customer was not acknowledged for three minutes: ${lastRefusal}`);
    await pause(250);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
