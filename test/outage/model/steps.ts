import fc from "fast-check";
import { DAY } from "../../contracts/given.ts";
import { is, SECOND, some } from "../../contracts/model/arbitrary.ts";

/** The fault of one call to a port: see `gate.ts`. */
export type Fault = "down" | "lost" | "late" | "dies before" | "dies after" | "store falls" | "store rises";

/**
 * The fault of the n-th call of a step. Only few may hide the journal's entries (`blinds`), for then little can be
 * checked.
 */
export interface Cut {
  readonly call: number;
  readonly fault: Fault;
  readonly blinds: boolean;
}

/** Selects one of the items seen so far, counted back from the newest; a larger number wraps around. */
export type Nth = number;

/** One action of a client. `at` is the isolate that serves it. */
export type Action = { readonly at: 0 | 1 } & (
  | { readonly do: "write"; readonly who: number; readonly channel: Platform; readonly count: number }
  | { readonly do: "crowd"; readonly channel: Platform }
  | { readonly do: "redeliver"; readonly nth: Nth }
  // Without a number it is for the part that is sent next: the receipt may come before our own record.
  | { readonly do: "receipt"; readonly nth: Nth | null; readonly status: "delivered" | "read" }
  | { readonly do: "edit"; readonly nth: Nth }
  | {
      readonly do: "start";
      readonly device: number;
      readonly channel: Caller;
      readonly who?: number;
      readonly kinds: readonly ("phone" | "telegram_chat_id")[];
      readonly key?: number;
    }
  | {
      readonly do: "restore";
      readonly device: number;
      readonly who?: number;
      readonly channel?: Caller;
    }
  | {
      readonly do: "update";
      readonly device: number;
      readonly key?: number;
      readonly erases?: boolean;
      readonly metadata?: number;
      readonly language?: string;
      readonly message?: "user" | "assistant";
    }
  | { readonly do: "say"; readonly device: number }
  | { readonly do: "read"; readonly device: number }
  | { readonly do: "end" | "sign out"; readonly device: number }
  | { readonly do: "block"; readonly who: number; readonly channel: Platform; readonly reachable: boolean }
  // A phone claimed at a kiosk.
  | { readonly do: "claim"; readonly who: number }
  | { readonly do: "sweep" }
  | { readonly do: "forget" }
);
export type Platform = "whatsapp" | "telegram";
export type Caller = "web" | "kiosk";

/** Actions at the same time, some time after the step before. */
export interface Step {
  readonly after_ms: number;
  /** What is up from now on. Absent: the store as before, and the journal up. */
  readonly up?: { readonly store: boolean; readonly journal: boolean };
  readonly actions: readonly Action[];
  /** Whether one customer may do several things at once. */
  readonly crowded: boolean;
  /** Selects the next of the waiting calls. */
  readonly picks: readonly number[];
  readonly cuts: readonly Cut[];
}

const PEOPLE = 3;
const DEVICES = 3;
const at = fc.constantFrom<0 | 1>(0, 1);
const who = fc.nat({ max: PEOPLE - 1 });
const device = fc.nat({ max: DEVICES - 1 });
const nth = fc.nat({ max: 9 });
const key = fc.nat({ max: 2 });
const platform = fc.constantFrom<Platform>("whatsapp", "whatsapp", "telegram");
const caller = fc.constantFrom<Caller>("web", "web", "kiosk");

const weighted: readonly [number, fc.Arbitrary<Action>][] = [
  [10, fc.record({ do: is("write"), at, who, channel: platform, count: fc.constantFrom(1, 1, 2) })],
  [2, fc.record({ do: is("crowd"), at, channel: platform })],
  [3, fc.record({ do: is("redeliver"), at, nth })],
  [
    3,
    fc.record({
      do: is("receipt"),
      at,
      nth: fc.option(nth, { nil: null, freq: 2 }),
      status: fc.constantFrom("delivered", "read"),
    }),
  ],
  [1, fc.record({ do: is("edit"), at, nth })],
  [
    4,
    some(
      {
        do: is("start"),
        at,
        device,
        channel: caller,
        kinds: fc.constantFrom(
          ["phone" as const],
          ["phone" as const],
          ["telegram_chat_id" as const],
          ["phone" as const, "telegram_chat_id" as const],
        ),
      },
      { who, key },
    ),
  ],
  [3, some({ do: is("restore"), at, device }, { who, channel: caller })],
  [
    4,
    some(
      { do: is("update"), at, device },
      {
        key,
        erases: fc.constant(true),
        metadata: key,
        language: fc.constantFrom("de", "fr"),
        message: fc.constantFrom("user", "assistant"),
      },
    ),
  ],
  [4, fc.record({ do: is("say"), at, device })],
  [2, fc.record({ do: is("read"), at, device })],
  [1, fc.record({ do: fc.constantFrom("end" as const, "sign out" as const), at, device })],
  [1, fc.record({ do: is("block"), at, who, channel: platform, reachable: fc.boolean() })],
  [1, fc.record({ do: is("claim"), at, who })],
  [3, fc.record({ do: is("sweep"), at })],
  [3, fc.record({ do: is("forget"), at })],
];
const action = fc.oneof(
  ...weighted.map(([weight, arbitrary]) => ({
    weight: weight * 2,
    arbitrary: arbitrary as fc.Arbitrary<Action>,
  })),
);

const fault: fc.Arbitrary<Fault> = fc.constantFrom(
  "down",
  "lost",
  "late",
  "dies before",
  "dies after",
  "store falls",
  "store rises",
);
const cut: fc.Arbitrary<Cut> = fc.record({
  call: fc.nat({ max: 14 }),
  fault,
  blinds: fc.constantFrom(false, false, false, false, false, true),
});

const up = fc.oneof(
  { weight: 50, arbitrary: fc.constant({ store: true, journal: true }) },
  { weight: 50, arbitrary: fc.constant({ store: false, journal: true }) },
  { weight: 1, arbitrary: fc.constant({ store: false, journal: false }) },
  { weight: 1, arbitrary: fc.constant({ store: true, journal: false }) },
);

const step: fc.Arbitrary<Step> = some(
  {
    after_ms: fc.oneof(
      { weight: 30, arbitrary: fc.constantFrom(1, 500, 4 * SECOND, 4 * SECOND, 12 * SECOND, 61 * SECOND) },
      { weight: 1, arbitrary: fc.constantFrom(DAY, 8 * DAY) },
    ),
    actions: fc.oneof(
      { weight: 3, arbitrary: fc.array(action, { minLength: 1, maxLength: 1 }) },
      { weight: 2, arbitrary: fc.array(action, { minLength: 2, maxLength: 3 }) },
    ),
    crowded: fc.constantFrom(false, false, false, false, false, false, false, true),
    picks: fc.array(fc.nat({ max: 5 }), { maxLength: 12 }),
    cuts: fc.oneof(
      { weight: 5, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: fc.array(cut, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(cut, { minLength: 2, maxLength: 3 }) },
    ),
  },
  { up },
);

/** Any run: a device that starts a session, then up to thirty steps. */
export const steps: fc.Arbitrary<Step[]> = fc
  .array(step, { minLength: 1, maxLength: 30, size: "max" })
  .map((some) => [FIRST, ...some]);

const FIRST: Step = {
  after_ms: 1,
  actions: [{ do: "start", at: 0, device: 0, channel: "web", who: 0, kinds: ["phone"] }],
  crowded: false,
  picks: [],
  cuts: [],
};
