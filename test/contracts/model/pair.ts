import type { DeadLetter, Delivery, Turn } from "../../../src/core/answer/turn.ts";
import { ERROR_CODES, HubError } from "../../../src/core/errors.ts";
import type { Store } from "../../../src/core/store.ts";
import { hash } from "../given.ts";
import { alike, newNames } from "./alike.ts";
import type { Nth, Step } from "./calls.ts";
import { perform, type Seen } from "./perform.ts";

type Side = 0 | 1;
type Both<T> = readonly [memory: T, sql: T];

/** Two stores that get the same calls and must answer the same. */
export interface Pair {
  step(step: Step): Promise<void>;
  /** Compares all that can be read: each session's messages, dead letters, counts, and the unfinished work. */
  end(): Promise<void>;
}

const START = Date.UTC(2026, 0, 5);

export function pair(stores: Both<Store>): Pair {
  const names = newNames();
  const turns: Both<Turn>[] = [];
  const deliveries: Both<Delivery>[] = [];
  const sessions: Both<string>[] = [];
  const devices: Both<string>[] = [];
  const dead: Both<string>[] = [];
  const cursors = [0];
  const given = new Set<string>();
  let now = new Date(START);

  const seenBy = (side: Side): Seen => {
    const tokens = new Map<number, string>();
    let minted = 1000;
    const pick = <T>(list: Both<T>[], nth: Nth): T | undefined => list[nth % list.length]?.[side];
    return {
      turn: (nth) => pick(turns, nth),
      delivery: (nth) => pick(deliveries, nth),
      session: (nth) => pick(sessions, nth),
      dead: (nth) => pick(dead, nth),
      device: (nth) => pick(devices, nth),
      cursor: (nth) => cursors[nth % cursors.length]!,
      isFresh(external_id) {
        const key = `${side} ${external_id}`;
        return given.size !== given.add(key).size;
      },
      token: (number) => tokens.get(number) ?? hash(number),
      mint: () => hash(++minted),
      keep: (number, hash) => void tokens.set(number, hash),
    };
  };
  const seen: Both<Seen> = [seenBy(0), seenBy(1)];

  /** Calls both, compares answers or refusals, and keeps the returned ids. */
  async function both(ask: (store: Store, side: Side) => Promise<unknown>): Promise<void> {
    const answers = await Promise.allSettled([0, 1].map((side) => settled(ask(stores[side]!, side as Side))));
    const [one, other] = answers.map((answer) => {
      if (answer.status === "rejected") throw answer.reason;
      return answer.value;
    });
    const [before, after] = [deadOf(one), deadOf(other)];
    if (before && after) return sameDead(before, after);
    alike(names, one, other);
    learn(one, other);
  }

  function learn(one: unknown, other: unknown): void {
    if (typeof one !== "object" || one === null || one instanceof Date) return;
    const [a, b] = [one, other] as Both<Record<string, unknown>>;
    const ids = <T>(key: string): Both<T> => [a[key], b[key]] as Both<T>;
    if ("turn_id" in a) turns.unshift([a, b] as unknown as Both<Turn>);
    if ("delivery_id" in a) deliveries.unshift([a, b] as unknown as Both<Delivery>);
    if ("session_id" in a) remember(sessions, ids("session_id"));
    if (typeof a.seq === "number" && !cursors.includes(a.seq)) cursors.unshift(a.seq);
    if ("device_id" in a) remember(devices, ids("device_id"));
    for (const key of Object.keys(a)) learn(a[key], b[key]);
  }

  /** Sorts dead letters: those of the same age come in any order. Those of one message and instant look the same. */
  function sameDead(one: DeadLetter[], other: DeadLetter[]): void {
    const keyed = (letters: DeadLetter[], name: (id: string) => string | undefined) =>
      letters
        .map((letter) => {
          const { created_at, type, message_id, id } = letter;
          return { letter, key: [created_at.toISOString(), type, name(message_id), name(id)].join(" ") };
        })
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const left = keyed(one, (id) => names.ids.get(id));
    const right = keyed(other, (id) => (names.back.has(id) ? id : undefined));
    const stripped = (list: typeof left) => list.map(({ letter: { id, ...rest } }) => rest);
    alike(names, stripped(left), stripped(right));
    left.forEach(({ letter, key }, i) => {
      if (left.filter((item) => item.key === key).length > 1) return;
      alike(names, letter.id, right[i]!.letter.id);
      remember(dead, [letter.id, right[i]!.letter.id]);
    });
  }

  return {
    async step(step) {
      now = new Date(now.getTime() + step.after_ms);
      await both((store, side) => perform(store, seen[side], step, now));
    },
    async end() {
      for (const ids of sessions) {
        await both((store, side) => store.sessions.messages({ session_id: ids[side] }, 0, 1000, now));
        await both((store, side) => store.sessions.find({ session_id: ids[side] }, now));
      }
      await both((store) => store.operations.metrics(now));
      await both(async (store) => ({ dead: await store.operations.deadLetters(undefined, 1000) }));
      for (const minutes of [0, 2, 10]) {
        now = new Date(now.getTime() + minutes * 60_000 + 1);
        await both((store) => store.conversations.due(now, 1000));
      }
    },
  };
}

function remember(list: Both<string>[], ids: Both<string>): void {
  if (!list.some(([known]) => known === ids[0])) list.unshift(ids);
}

/** The refusals that callers may get. Any other error is a bug of the store. */
const REFUSALS = Object.keys(ERROR_CODES).filter(
  (code) => ERROR_CODES[code as keyof typeof ERROR_CODES] < 500,
);

/** The answer, or the refusal. */
async function settled(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof HubError && REFUSALS.includes(error.code))) throw error;
    const { code, retryAfterMs, details } = error;
    return { refused: code, wait: retryAfterMs, ...(code === "merge_required" && { details }) };
  }
}

function deadOf(answer: unknown): DeadLetter[] | undefined {
  return typeof answer === "object" && answer !== null && "dead" in answer
    ? (answer.dead as DeadLetter[])
    : undefined;
}
