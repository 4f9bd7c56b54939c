import type { Delivery, Turn } from "../../../src/core/answer/turn.ts";
import type { Store } from "../../../src/core/store.ts";
import { reply } from "../../contracts/given.ts";
import { sleep } from "./many.ts";

/** The hub's work after a webhook is saved, with a bot and a platform that record it. */
export interface Hands {
  /** Answers and delivers until no work is left, unless it stops half-way. */
  answer(turn: Turn | undefined): Promise<void>;
  /** Sweeps until everything is answered and sent. */
  sweepUntilDone(): Promise<void>;
  /** `external_id` of each message a bot was asked about, by session, in the order it was asked. */
  readonly asked: Map<string, string[]>;
  /** The texts sent on each lane, in order. */
  readonly sent: Map<string, string[]>;
  /** Sessions whose bot was asked while it was still busy. */
  readonly overlaps: string[];
}

export function hands(store: Store, { dies = 0, leaseMs = 60_000 } = {}): Hands {
  const { conversations, operations } = store;
  const busy = new Set<string>();
  const self: Hands = {
    asked: new Map(),
    sent: new Map(),
    overlaps: [],
    async answer(first) {
      let turn = first;
      while (turn) {
        const { session_id } = turn.session;
        const { external_id } = turn.message;
        if (busy.has(session_id)) self.overlaps.push(session_id);
        busy.add(session_id);
        note(self.asked, session_id, external_id!);
        await sleep(Math.random() * 3);
        busy.delete(session_id);
        if (Math.random() < dies) return;
        const completed = await conversations.complete(turn, [reply(`re ${external_id}`)], new Date());
        const delivered = deliver(completed.deliveries);
        turn = completed.next;
        await delivered;
      }
    },
    async sweepUntilDone() {
      for (;;) {
        const { turns, deliveries } = await conversations.due(new Date(), 20);
        await Promise.all([...turns.map(self.answer), ...deliveries.map((delivery) => deliver([delivery]))]);
        const { open_turns, open_deliveries } = await operations.metrics(new Date());
        if (open_turns + open_deliveries === 0) return;
        if (turns.length + deliveries.length === 0) await sleep(leaseMs / 5);
      }
    },
  };

  async function deliver(claimed: readonly Delivery[]): Promise<void> {
    for (let waiting = claimed; waiting.length > 0; ) {
      const outcomes = waiting.map(({ delivery_id, attempt, session_id, channel, content }) => {
        note(self.sent, `${session_id} ${channel}`, (content as { text: string }).text);
        return { delivery_id, attempt, state: "sent" as const, external_id: `${delivery_id} ${attempt}` };
      });
      if (Math.random() < dies) return;
      waiting = (await conversations.settle(outcomes, new Date())).deliveries;
    }
  }
  return self;
}

function note(list: Map<string, string[]>, key: string, what: string): void {
  list.set(key, [...(list.get(key) ?? []), what]);
}
