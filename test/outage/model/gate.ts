import { HubError } from "../../../src/core/errors.ts";
import { settings } from "../../contracts/given.ts";
import type { Cut, Fate } from "./steps.ts";

/** An isolate of the Worker, as far as the gate knows it. */
export interface Life {
  dead: boolean;
  /** When it made the first call that was late. */
  lateSince?: number;
}

interface Call {
  /** How long it is still late, in steps. */
  late?: number;
  readonly life: Life;
  readonly name: string;
  readonly since: number;
  readonly make: (isLate: boolean) => Promise<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Every call to a port waits here, and goes through one at a time in the order of the dice. */
export interface Gate {
  /** What is up. */
  readonly up: { store: boolean; journal: boolean };
  /** The same port, whose calls wait at the gate. */
  through<T extends object>(life: Life, name: string, port: T): T;
  /** What was late waits no longer. */
  wake(): void;
  /** Lets calls through until `done`, or until only what is late is left; returns the fates that came about. */
  run(done: () => boolean, plan: Plan): Promise<Met[]>;
}

export interface Plan {
  readonly dice: readonly number[];
  readonly cuts: readonly Cut[];
}

/** A fate that came about. */
export interface Met {
  readonly life: Life;
  readonly port: string;
  readonly fate: Fate;
}

const LONGEST_MS = 20_000;
/** How many steps later something happens that is late. */
export const LATE_STEPS = 2;
/** What may take longer than a lease holds, if an isolate is held up: all that is done behind an acknowledgement. */
const MAY_BE_LATE = [
  "bot.reply",
  "platform.send",
  "store.conversations.complete",
  "store.conversations.fail",
  "store.conversations.settle",
];

/** Who is told of every call: that it was made, or that whoever made it got no answer, though alive. */
interface Witness {
  made(name: string, answer: unknown, args: readonly unknown[], isLate: boolean): void;
  /** Without a fate it was the weather. */
  failed(name: string, life: Life, fate: Fate | undefined): void;
}

/** Something is late once it was held up for as long as a lease. */
export function gate(witness: Witness, now: () => number): Gate {
  const up = { store: true, journal: true };
  let waiting: Call[] = [];

  function through<T extends object>(life: Life, name: string, port: T): T {
    return new Proxy(port, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member === "object" && member !== null)
          return through(life, `${name}.${String(key)}`, member);
        if (typeof member !== "function") return member;
        const called = `${name}.${String(key)}`;
        return (...args: unknown[]) =>
          new Promise((resolve, reject) => {
            if (life.dead) return;
            const make = async (isLate: boolean) => {
              const answer = await member.apply(target, args);
              witness.made(called, answer, args, isLate);
              // What gives a lease back is a call as well.
              if (called === "journal.lease" && typeof answer === "function")
                return through(life, "journal", { release: answer }).release;
              return answer;
            };
            waiting.push({ life, name: called, since: now(), make, resolve, reject });
          });
      },
    });
  }

  return {
    up,
    through,
    wake() {
      for (const call of waiting) if (call.late) call.late--;
    },
    async run(done, { dice, cuts }) {
      const met: Met[] = [];
      let calls = 0;
      let idle = 0;
      let deadline = Date.now() + LONGEST_MS;
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve)); // all that follows from the call before has happened
        waiting = waiting.filter(({ life }) => !life.dead);
        const ready = waiting.filter((call) => !call.late);
        if (ready.length === 0) {
          if (done() || (waiting.length > 0 && ++idle > 3)) return met;
          if (Date.now() > deadline) throw new Error("something waits for what never comes");
          continue;
        }
        deadline = Date.now() + LONGEST_MS;
        idle = 0;
        const call = ready[(dice[calls] ?? 0) % ready.length];
        const isBlinding = call!.name === "journal.depth";
        const fates = cuts
          .filter((cut) => cut.call === calls && (cut.blinds || !isBlinding || cut.fate.startsWith("dies")))
          .map(({ fate }) => fate);
        calls++;
        if (fates.includes("late") && MAY_BE_LATE.includes(call!.name) && call!.late === undefined) {
          call!.late = LATE_STEPS;
          call!.life.lateSince ??= call!.since;
          witness.failed(call!.name, call!.life, "late");
          continue;
        }
        waiting.splice(waiting.indexOf(call!), 1);
        const { late, life } = call!;
        const isLate = late !== undefined && now() - life.lateSince! >= settings.leaseMs;
        const fate = await pass(up, call!, fates, witness, isLate);
        if (fate) met.push({ life: call!.life, port: call!.name, fate });
      }
    },
  };
}

/** Makes the call, or not; returns the fate that it met. */
async function pass(
  up: Gate["up"],
  call: Call,
  fates: readonly Fate[],
  witness: Witness,
  isLate: boolean,
): Promise<Fate | undefined> {
  const { life, name, make, resolve, reject } = call;
  const [port] = name.split(".") as [string];
  if (fates.includes("store falls")) up.store = false;
  if (fates.includes("store rises")) up.store = true;
  let fate = fates.find((one) => !["store falls", "store rises", "late"].includes(one));
  // The cache fails nobody: it forgets.
  if (port === "cache" && (fate === "down" || fate === "lost")) fate = undefined;
  const isUp = port === "store" ? up.store : port === "journal" ? up.journal : true;
  const fail = () => {
    witness.failed(name, life, fate);
    reject(unavailable(port));
  };
  if (fate === "dies before") life.dead = true;
  else if (fate === "down" || !isUp) {
    if (fate === "dies after") life.dead = true;
    else fail();
  } else {
    try {
      const answer = await make(isLate);
      if (fate === "dies after") life.dead = true;
      else if (fate === "lost") fail();
      else resolve(answer);
    } catch (error) {
      if (fate === "dies after") life.dead = true;
      else reject(error);
    }
  }
  return fate;
}

function unavailable(port: string): HubError {
  return new HubError("unavailable", `the ${port} did not answer`, { reason: `${port}_unreachable` });
}
