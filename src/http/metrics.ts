import { createRoute, z } from "@hono/zod-openapi";
import { failureOf, toHubError } from "../core/errors.ts";
import type { Metrics } from "../core/operations.ts";
import type { JournalDepth } from "../core/receive/journal.ts";
import type { DeskState } from "../features/conversations/conversations.ts";
import type { EventsState } from "../features/endpoints/endpoints.ts";
import { adminOf, namesOf } from "./auth.ts";
import { security } from "./describe.ts";
import { problems } from "./errors.ts";
import { type Family, PROMETHEUS_TYPE, prometheusText, type Sample } from "./prometheus.ts";
import type { App, AppOptions } from "./request.ts";
import { lookupCounter, OUTCOMES } from "./sessions/lookups.ts";

/** A counter of the store. `by` is its second label, with every value that it takes; the first one is the channel. */
interface Counter {
  readonly name: string;
  readonly help: string;
  readonly by?: readonly [label: string, ...values: string[]];
}

const COUNTERS: Readonly<Record<string, Counter>> = {
  received: { name: "hub_messages_received_total", help: "Messages of customers that were saved." },
  duplicates: {
    name: "hub_messages_duplicate_total",
    help: "Messages of customers that were delivered again and changed nothing.",
  },
  turns: {
    name: "hub_turns_total",
    help: "How turns ended: done, failed (tried again later) or dead.",
    by: ["outcome", "done", "failed", "dead"],
  },
  deliveries: {
    name: "hub_deliveries_total",
    help: "How attempts to send ended: sent, failed (tried again later), held (waits for the customer) or dead.",
    by: ["state", "sent", "failed", "held", "dead"],
  },
  billed: {
    name: "hub_billable_sends_total",
    help: "Parts that a platform took and bills, by its category. Codes are not counted.",
    by: ["category", "service", "utility", "marketing", "authentication", "template"],
  },
  receipts: {
    name: "hub_receipts_total",
    help: "Receipts of platforms that changed something.",
    by: ["status", "sent", "delivered", "read", "played", "failed"],
  },
  handoffs: { name: "hub_handoffs_total", help: "Conversations that the bot has handed over to a person." },
};

const HISTOGRAMS: Readonly<Record<string, Omit<Counter, "by">>> = {
  answer_ms: {
    name: "hub_answer_seconds",
    help: "From the time a message was saved until its replies were, retries included.",
  },
  deliver_ms: {
    name: "hub_delivery_seconds",
    help: "From the time a reply was saved until the platform took it, retries included.",
  },
};

/** The upper bounds of the store's buckets. Every series has all of them, so that sums over channels are right. */
const BOUNDS_MS = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];

/** Registers `GET /metrics` for Prometheus. The store counts, so the figures are the same in every isolate. */
export function addMetrics(app: App, options: AppOptions): void {
  const route = createRoute({
    method: "get",
    path: "/metrics",
    tags: ["Operation"],
    summary: "Metrics for Prometheus",
    description:
      "Text format 0.0.4. Answers while the store is down too: then with `hub_store_up 0` and without the store's counters.",
    security: security.key,
    responses: {
      200: { description: "The metrics.", content: { "text/plain": { schema: z.string() } } },
      ...problems("unauthorized", "forbidden"),
    },
  });
  app.openapi(route, async (c) => {
    await adminOf(c.req.raw.headers, options.keys);
    const { hub: open, facts } = c.var.exchange;
    const hub = open();
    const now = hub.now();
    const { journal: waits, features } = hub.store;
    const [metrics, journal, events, desk] = await Promise.all([
      asked(facts, () => hub.store.operations.metrics(now)),
      waits && asked(facts, () => waits.depth()),
      features && asked(facts, () => features.endpoints.state()),
      features && asked(facts, () => features.conversations.state()),
    ]);
    const families = [
      gauge("hub_build_info", "Which version runs.", 1, { version: options.version }),
      gauge("hub_store_up", "Whether the store answers.", metrics ? 1 : 0),
      ...(waits ? [gauge("hub_journal_up", "Whether the journal answers.", journal ? 1 : 0)] : []),
      ...(journal ? journalFamilies(journal, now) : []),
      ...(metrics ? storeFamilies(metrics, options.channels, now) : []),
      ...(metrics ? modelFamilies(metrics.model) : []),
      ...(metrics && events ? eventFamilies(metrics, events, now) : []),
      ...(metrics && desk ? deskFamilies(desk, now) : []),
      ...(metrics ? [lookups(metrics, await namesOf(options.keys))] : []),
    ];
    return c.text(prometheusText(families), 200, { "Content-Type": PROMETHEUS_TYPE });
  });
}

/**
 * The result of `work`, or undefined if it fails: the store's failure must not hide the journal's figures, nor the
 * reverse.
 */
async function asked<T>(facts: Record<string, unknown>, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (thrown) {
    Object.assign(facts, failureOf(toHubError(thrown)));
    return undefined;
  }
}

function journalFamilies({ depth, oldest_at, quarantined }: JournalDepth, now: Date): Family[] {
  return [
    gauge("hub_journal_depth", "Entries that wait in the journal for the store.", depth),
    gauge("hub_journal_age_seconds", "How long the oldest of them has waited.", secondsSince(oldest_at, now)),
    gauge(
      "hub_journal_quarantined",
      "Entries that the store refused for good, kept for an operator.",
      quarantined,
    ),
  ];
}

function storeFamilies(metrics: Metrics, channels: readonly string[], now: Date): Family[] {
  const { counters, open_turns, open_deliveries, oldest_turn_at, oldest_delivery_at } = metrics;
  return [
    ...Object.keys(COUNTERS).map((key) => counter(key, counters, channels)),
    ...Object.keys(HISTOGRAMS).map((key) => histogram(key, counters, channels)),
    gauge("hub_open_turns", "Messages that are not answered yet.", open_turns),
    gauge("hub_open_deliveries", "Parts of replies that are not sent yet.", open_deliveries),
    gauge(
      "hub_oldest_turn_age_seconds",
      "How long the oldest of them has waited.",
      secondsSince(oldest_turn_at, now),
    ),
    gauge(
      "hub_oldest_delivery_age_seconds",
      "How long the oldest of them has waited.",
      secondsSince(oldest_delivery_at, now),
    ),
  ];
}

function modelFamilies({ turns, input_tokens, output_tokens, cost }: Metrics["model"]): Family[] {
  const total = (name: string, help: string, samples: Sample[]): Family => ({
    name,
    type: "counter",
    help,
    samples,
  });
  return [
    total("hub_llm_turns_total", "Attempts to answer with the language model.", [{ value: turns }]),
    total("hub_llm_tokens_total", "Tokens of the language model.", [
      { labels: { direction: "input" }, value: input_tokens },
      { labels: { direction: "output" }, value: output_tokens },
    ]),
    total("hub_llm_cost_total", "Their cost, in the currency of the prices.", [{ value: cost / 1_000_000 }]),
  ];
}

/** Events on their way to endpoints of the shop. */
function eventFamilies({ counters }: Metrics, state: EventsState, now: Date): Family[] {
  const labelled = (label: string, values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([name, value]): Sample => ({ labels: { [label]: name }, value }));
  const { enabled, failing, disabled, waiting, oldest_at, dead } = state;
  const outcomes = ["sent", "failed", "dead"].map((key) => [key, counters[`events|${key}`] ?? 0] as const);
  return [
    {
      name: "hub_events_total",
      type: "counter",
      help: "How posts of events ended: sent, failed (tried again later) or dead.",
      samples: labelled("outcome", Object.fromEntries(outcomes)),
    },
    {
      name: "hub_endpoints",
      type: "gauge",
      help: "Endpoints by state. disabled: by the hub, because they were gone or failed for three days.",
      samples: labelled("state", { enabled, failing, disabled }),
    },
    gauge("hub_events_waiting", "Events that are still to be posted; at most 100,000 are counted.", waiting),
    gauge(
      "hub_oldest_event_age_seconds",
      "How long the oldest of them has waited.",
      secondsSince(oldest_at, now),
    ),
    gauge("hub_dead_events", "Events that an endpoint did not take for three days.", dead),
  ];
}

/** Conversations that persons of the shop have, or are to have. */
function deskFamilies({ held, waiting, overdue, oldest_waiting_at }: DeskState, now: Date): Family[] {
  return [
    gauge("hub_conversations_held", "Conversations that a person of the shop has.", held),
    gauge("hub_conversations_waiting", "Customers who wait for a person's answer.", waiting),
    gauge(
      "hub_conversations_overdue",
      "Those of them who have waited longer than HANDOFF_WAIT_LIMIT_MINUTES.",
      overdue,
    ),
    gauge(
      "hub_oldest_waiting_age_seconds",
      "How long the first of them has waited.",
      secondsSince(oldest_waiting_at, now),
    ),
  ];
}

/** One counter with all its series, with zeros from the start: Prometheus sees no rise in a series that begins at 1. */
function counter(key: string, counters: Metrics["counters"], channels: readonly string[]): Family {
  const { name, help, by } = COUNTERS[key]!;
  const [label, ...values] = by ?? [];
  const series = new Map<string, number>();
  for (const channel of channels)
    for (const value of label ? values : [""]) series.set(label ? `${channel}|${value}` : channel, 0);
  for (const [labels, value] of under(key, counters)) series.set(labels, value);
  const samples = [...series].map(([labels, value]): Sample => {
    const [channel = "", second = ""] = labels.split("|");
    return { labels: { channel, ...(label && { [label]: second }) }, value };
  });
  return { name, type: "counter", help, samples };
}

/** The outcomes of look-ups by identity, per API key. Many `none` of one key mean that its holder tries numbers. */
function lookups({ counters }: Metrics, keys: readonly string[]): Family {
  const samples = keys.flatMap((key) =>
    OUTCOMES.map((outcome): Sample => {
      const value = counters[lookupCounter(key, outcome)] ?? 0;
      return { labels: { key, outcome }, value };
    }),
  );
  return {
    name: "hub_lookups_total",
    type: "counter",
    help: "Look-ups of customers with an API key, by the key's name in the audit and the outcome.",
    samples,
  };
}

function histogram(key: string, counters: Metrics["counters"], channels: readonly string[]): Family {
  const { name, help } = HISTOGRAMS[key]!;
  const buckets = new Map(under(`${key}.le`, counters));
  const sums = new Map(under(`${key}.sum`, counters));
  const samples = [...new Set([...channels, ...sums.keys()])].flatMap((channel): Sample[] => {
    let count = 0;
    const cumulative = [...BOUNDS_MS, "inf"].map((bound): Sample => {
      count += buckets.get(`${channel}|${bound}`) ?? 0;
      const le = typeof bound === "number" ? String(bound / 1_000) : "+Inf";
      return { suffix: "_bucket", labels: { channel, le }, value: count };
    });
    return [
      ...cumulative,
      { suffix: "_sum", labels: { channel }, value: (sums.get(channel) ?? 0) / 1_000 },
      { suffix: "_count", labels: { channel }, value: count },
    ];
  });
  return { name, type: "histogram", help, samples };
}

/** The store's counters `key|…`, without the prefix. */
function under(key: string, counters: Metrics["counters"]): [string, number][] {
  const prefix = `${key}|`;
  return Object.entries(counters)
    .filter(([name]) => name.startsWith(prefix))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name.slice(prefix.length), value]);
}

function gauge(name: string, help: string, value: number, labels?: Record<string, string>): Family {
  return { name, type: "gauge", help, samples: [{ ...(labels && { labels }), value }] };
}

/** How many seconds something has waited; 0 if nothing waits. */
export function secondsSince(since: Date | undefined, now: Date): number {
  return since ? Math.max(0, (now.getTime() - since.getTime()) / 1_000) : 0;
}
