/**
 * Measures the turns per second of many sessions, beside the SQL functions alone, and whether one slow session delays
 * the others.
 */
import { POOL_SIZE } from "./lib/contenders.ts";
import { startDatabases } from "./lib/database.ts";
import { callThree, type HubWithoutHttp, openHub, SLOW_MS } from "./lib/hub-without-http.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled, times, whole } from "./lib/result.ts";
import { median, quantile } from "./lib/stats.ts";
import { wamid } from "./lib/webhook.ts";

const SESSIONS = 500;
/** How many messages a customer sends at once. */
const EACH = 8;
const IN_FLIGHT = 32;
const ROUNDS = 3;
const SHARE = 0.75;
const UNMOVED = 1.2;

interface Variant {
  readonly name: string;
  readonly rates: number[];
  run(): Promise<{ turns: number; seconds: number }>;
}

export const turns: Bench = {
  name: "turns",
  async run(context) {
    const databases = await startDatabases(context.dir);
    const hub = openHub(await databases.createHub("turns"));
    try {
      const variants = variantsOf(context, hub);
      const calm: number[] = [];
      const beside: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        context.progress(round === 0 ? "warm-up" : `round ${round} of ${ROUNDS}`);
        // Each variant starts a round in its turn.
        for (const variant of [...variants.slice(round), ...variants.slice(0, round)]) {
          const { turns, seconds } = await variant.run();
          if (round > 0) variant.rates.push(turns / seconds);
        }
        const waits = [await latencies(context, hub, false), await latencies(context, hub, true)] as const;
        if (round > 0) calm.push(...waits[0]);
        if (round > 0) beside.push(...waits[1]);
        await databases.analyze("turns");
      }
      hub.checkOrder();
      return resultOf(context, variants, calm, beside);
    } finally {
      await hub.close();
      await databases.stop();
    }
  },
};

let phones = 0;
const newPhone = () => `+${447_800_000_000 + ++phones}`;

function variantsOf(context: Context, hub: HubWithoutHttp): Variant[] {
  const sessions = scaled(context, SESSIONS);
  const messages = sessions * EACH;
  const known = Array.from({ length: sessions }, newPhone);
  const direct = Array.from({ length: sessions }, newPhone);
  const one = newPhone();
  const throughHub = (groups: readonly (readonly string[])[], inFlight: number) => async () => {
    const began = performance.now();
    await each(groups, inFlight, (group) => Promise.all(group.map((phone) => said(hub, phone))));
    return { turns: groups.flat().length, seconds: (performance.now() - began) / 1000 };
  };
  const rotated = (list: readonly string[]) => Array.from({ length: EACH }, () => list).flat();
  return [
    {
      name: "the three functions alone, in turn",
      rates: [],
      run: async () => {
        const began = performance.now();
        await each(rotated(direct), IN_FLIGHT, (phone) => callThree(hub.store.conversations, phone));
        return { turns: messages, seconds: (performance.now() - began) / 1000 };
      },
    },
    {
      name: `${whole(sessions)} sessions, one message at a time`,
      rates: [],
      run: throughHub(
        rotated(known).map((phone) => [phone]),
        IN_FLIGHT,
      ),
    },
    {
      name: `${whole(sessions)} sessions, ${EACH} messages at once each`,
      rates: [],
      run: throughHub(
        known.map((phone) => Array.from({ length: EACH }, () => phone)),
        IN_FLIGHT / EACH,
      ),
    },
    {
      name: "a new session for every message",
      rates: [],
      run: () =>
        throughHub(
          Array.from({ length: messages }, () => [newPhone()]),
          IN_FLIGHT,
        )(),
    },
    {
      name: "one session for all, which takes turns",
      rates: [],
      run: throughHub(
        Array.from({ length: messages / EACH }, () => [one]),
        EACH,
      ),
    },
  ];
}

async function said(hub: HubWithoutHttp, phone: string): Promise<void> {
  const external_id = wamid();
  const sent = hub.sent(external_id);
  await hub.write(phone, external_id);
  await sent;
}

/**
 * Times from a message to its reply, with few customers at once, with or without another customer whose bot is always
 * busy.
 */
async function latencies(context: Context, hub: HubWithoutHttp, withSlow: boolean): Promise<number[]> {
  const slow = newPhone();
  hub.slow.add(slow);
  let isOver = false;
  const talk = async () => {
    while (!isOver) await Promise.all([said(hub, slow), said(hub, slow), said(hub, slow)]);
  };
  const talking = withSlow ? talk() : undefined;
  const waits: number[] = [];
  const customers = Array.from({ length: scaled(context, 1_000, 200) }, newPhone);
  await each(customers, 4, async (phone) => {
    const external_id = wamid();
    const began = performance.now();
    const sent = hub.sent(external_id);
    await hub.write(phone, external_id);
    waits.push((await sent) - began);
  });
  isOver = true;
  await talking;
  return waits;
}

/** Works on up to `inFlight` items at once. */
async function each<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]!);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function resultOf(
  context: Context,
  variants: readonly Variant[],
  calm: readonly number[],
  beside: readonly number[],
): Result {
  const limit = median(variants[0]!.rates);
  const rows = variants.map(({ name, rates }) => ({
    name,
    turns_per_s: median(rates),
    share: median(rates) / limit,
    rounds: rates,
  }));
  const waits = [
    { name: "alone", ms: calm },
    { name: `one customer's bot takes ${SLOW_MS / 1000} s, and 3 messages wait for it`, ms: beside },
  ].map((row) => ({ name: row.name, reply_ms: median(row.ms), reply_p95_ms: quantile(row.ms, 0.95) }));
  const moved = waits[1]!.reply_ms / waits[0]!.reply_ms;
  const many = rows[2]!;
  const aims: Aim[] = [
    {
      aim: `${many.name}: ${SHARE * 100} % of the functions alone`,
      found: `${(many.share * 100).toFixed(0)} %`,
      met: many.share >= SHARE,
    },
    {
      aim: `beside a slow one: within ${UNMOVED}x at the median`,
      found: times(moved),
      met: moved <= UNMOVED,
    },
  ];
  return {
    tables: [
      {
        title: `turns: received, answered, sent and settled, core under Node without HTTP, ${POOL_SIZE} connections, ${IN_FLIGHT} messages in flight`,
        columns: ["", "turns/s", "of the functions alone"],
        rows: rows.map(({ name, turns_per_s, share }) => [
          name,
          whole(turns_per_s),
          `${(share * 100).toFixed(0)} %`,
        ]),
      },
      {
        title: `turns: other customers, 4 at a time, each with a first message; ${whole(calm.length)} messages each`,
        columns: ["", "reply after", "p95"],
        rows: waits.map(({ name, reply_ms, reply_p95_ms }) => [name, ms(reply_ms), ms(reply_p95_ms)]),
      },
    ],
    aims,
    notes: context.scale < 1 ? [`A quick run has ${whole(scaled(context, SESSIONS))} sessions.`] : [],
    figures: { rows, waits },
  };
}
