import type { Emulator } from "../emulators/server.ts";
import type { Network } from "../services/network.ts";
import type { Rule } from "./act.ts";
import type { ArmedFault } from "./model.ts";
import type { BotFault } from "./worker-control.ts";

/** Longer than the hub waits for a bot (docs/bots.md), so that a slow one is given up. */
const SLOW_MS = 20_000;

export interface FaultParts {
  readonly telegram: Emulator;
  readonly whatsapp: Emulator;
  readonly networks: Readonly<Record<"postgres" | "supabase" | "upstash", Network>>;
}

/** The faults that are armed. Each change is told. */
export interface FaultRules {
  readonly armed: readonly ArmedFault[];
  arm(rule: Rule): Promise<ArmedFault>;
  /** Disarms one, or all. */
  disarm(id?: string): Promise<void>;
  /** What the bot's next turn meets. Counts the turn. */
  turn(): BotFault;
  /** Looks at how often the emulators' faults were used. */
  refresh(): Promise<void>;
}

/** An emulator's fault for an effect. */
const EFFECTS: Readonly<Record<string, object>> = {
  "429": { kind: "status", status: 429, retry_after: 2 },
  "500": { kind: "status", status: 500 },
  "500-after": { kind: "accept-then-status", status: 500 },
  silent: { kind: "timeout" },
};

export function createFaultRules(
  { telegram, whatsapp, networks }: FaultParts,
  changed: (armed: readonly ArmedFault[]) => void,
): FaultRules {
  let armed: ArmedFault[] = [];
  let turns = 0;
  const emulators = { telegram, whatsapp };
  const behind = { database: [networks.postgres, networks.supabase], cache: [networks.upstash] };

  const drop = (id: string) => {
    armed = armed.filter((one) => one.id !== id);
  };

  async function stop({ id, target }: ArmedFault): Promise<void> {
    if (target === "telegram" || target === "whatsapp")
      await fetch(`${emulators[target].url}/_faults?id=${id}`, { method: "DELETE" });
    else if (target !== "bot") for (const network of behind[target]) pass(network);
    drop(id);
  }

  return {
    get armed() {
      return armed;
    },
    async arm({ target, effect, when }) {
      // One fault at a time for a target: two would hide each other.
      for (const before of armed.filter((one) => one.target === target)) await stop(before);
      const id = crypto.randomUUID();
      const left = typeof when === "object" && "next" in when ? when.next : undefined;
      const one: ArmedFault = { id, target, effect, when, ...(left !== undefined && { left }) };
      if (target === "telegram" || target === "whatsapp") {
        const every = typeof when === "object" && "every" in when ? when.every : undefined;
        const body = JSON.stringify({
          ...EFFECTS[effect],
          id,
          times: left ?? -1,
          ...(every !== undefined && { every }),
        });
        await fetch(`${emulators[target].url}/_faults`, { method: "POST", body });
      } else if (target !== "bot") {
        for (const network of behind[target]) {
          network.mode = effect === "down" ? "slam" : "swallow";
          network.hangUp();
        }
      }
      turns = 0;
      armed = [...armed, one];
      changed(armed);
      return one;
    },
    async disarm(id) {
      for (const one of armed.filter((each) => id === undefined || each.id === id)) await stop(one);
      changed(armed);
    },
    turn() {
      const fault = armed.find(({ target }) => target === "bot");
      if (!fault) return {};
      turns++;
      if (typeof fault.when === "object" && "every" in fault.when && turns % fault.when.every !== 0)
        return {};
      if (fault.left !== undefined && --fault.left <= 0) drop(fault.id);
      changed(armed);
      return fault.effect === "slow" ? { ms: SLOW_MS } : { throws: true };
    },
    async refresh() {
      for (const [target, { url }] of Object.entries(emulators)) {
        const own = armed.filter((one) => one.target === target);
        if (own.length === 0) continue;
        const { faults } = (await (await fetch(`${url}/_faults`)).json()) as {
          faults: { id?: string; times: number }[];
        };
        for (const one of own) {
          const there = faults.find(({ id }) => id === one.id);
          if (!there) drop(one.id);
          else if (one.left !== undefined) one.left = there.times;
        }
        changed(armed);
      }
    },
  };
}

function pass(network: Network): void {
  network.mode = "pass";
  network.hangUp(); // a silent connection never speaks again
}
