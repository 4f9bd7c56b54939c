import { HubError } from "../../../src/core/errors.ts";
import { settings } from "../../contracts/given.ts";
import type { Cut, Fault } from "./steps.ts";

/** An isolate of the Worker, as far as the gate knows it. */
export interface Life {
  dead: boolean;
  /** When it made the first call that was late. */
  lateSince?: number;
}

interface Call {
  /** For how many more steps it is late. */
  late?: number;
  readonly life: Life;
  readonly name: string;
  readonly since: number;
  readonly make: (isLate: boolean) => Promise<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Every call to a port waits here. The calls are made one at a time, in the order of the picks. */
export interface Gate {
  /** What is up. */
  readonly up: { store: boolean; journal: boolean };
  /** The same port, whose calls wait at the gate. */
  through<T extends object>(life: Life, name: string, port: T): T;
  /** Counts a step of every late call. */
  wake(): void;
  /** Makes calls until `done`, or until only late ones are left. Returns the faults that occurred. */
  run(done: () => boolean, plan: Plan): Promise<Met[]>;
}

export interface Plan {
  readonly picks: readonly number[];
  readonly cuts: readonly Cut[];
}

/** A fault that occurred. */
export interface Met {
  readonly life: Life;
  readonly port: string;
  readonly fault: Fault;
}

const LONGEST_MS = 20_000;
/** How many steps later a late call is made. */
export const LATE_STEPS = 2;
/** The calls that may take longer than a lease: those made after an acknowledgement. */
const MAY_BE_LATE = [
  "bot.reply",
  "platform.send",
  "store.conversations.complete",
  "store.conversations.fail",
  "store.conversations.settle",
];

/** Is notified of every call: that it was made, or that its live caller got no answer. */
interface Witness {
  made(name: string, answer: unknown, args: readonly unknown[], isLate: boolean): void;
  /** Without a fault the whole port was down. */
  failed(name: string, life: Life, fault: Fault | undefined): void;
}

/** A call is late once it was delayed for as long as a lease. */
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
              // The function that releases a lease is a call too.
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
    async run(done, { picks, cuts }) {
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
          if (Date.now() > deadline) throw new Error("a call waits for another that never ends");
          continue;
        }
        deadline = Date.now() + LONGEST_MS;
        idle = 0;
        const call = ready[(picks[calls] ?? 0) % ready.length];
        const isBlinding = call!.name === "journal.depth";
        const faults = cuts
          .filter((cut) => cut.call === calls && (cut.blinds || !isBlinding || cut.fault.startsWith("dies")))
          .map(({ fault }) => fault);
        calls++;
        if (faults.includes("late") && MAY_BE_LATE.includes(call!.name) && call!.late === undefined) {
          call!.late = LATE_STEPS;
          call!.life.lateSince ??= call!.since;
          witness.failed(call!.name, call!.life, "late");
          continue;
        }
        waiting.splice(waiting.indexOf(call!), 1);
        const { late, life } = call!;
        const isLate = late !== undefined && now() - life.lateSince! >= settings.leaseMs;
        const fault = await pass(up, call!, faults, witness, isLate);
        if (fault) met.push({ life: call!.life, port: call!.name, fault });
      }
    },
  };
}

/** Makes the call unless a fault prevents it. Returns the fault. */
async function pass(
  up: Gate["up"],
  call: Call,
  faults: readonly Fault[],
  witness: Witness,
  isLate: boolean,
): Promise<Fault | undefined> {
  const { life, name, make, resolve, reject } = call;
  const [port] = name.split(".") as [string];
  if (faults.includes("store falls")) up.store = false;
  if (faults.includes("store rises")) up.store = true;
  let fault = faults.find((one) => !["store falls", "store rises", "late"].includes(one));
  // The cache never throws: a lost call is as if it had not been made.
  if (port === "cache" && (fault === "down" || fault === "lost")) fault = undefined;
  const isUp = port === "store" ? up.store : port === "journal" ? up.journal : true;
  const fail = () => {
    witness.failed(name, life, fault);
    reject(unavailable(port));
  };
  if (fault === "dies before") life.dead = true;
  else if (fault === "down" || !isUp) {
    if (fault === "dies after") life.dead = true;
    else fail();
  } else {
    try {
      const answer = await make(isLate);
      if (fault === "dies after") life.dead = true;
      else if (fault === "lost") fail();
      else resolve(answer);
    } catch (error) {
      if (fault === "dies after") life.dead = true;
      else reject(error);
    }
  }
  return fault;
}

function unavailable(port: string): HubError {
  return new HubError("unavailable", `the ${port} did not answer`, { reason: `${port}_unreachable` });
}
