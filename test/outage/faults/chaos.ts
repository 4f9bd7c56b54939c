import type { Dice } from "./random.ts";
import type { Breakable, Rig } from "./rig.ts";

export interface Chaos {
  /** How often each thing was done, by name. */
  readonly done: Readonly<Record<string, number>>;
  /** When a part that holds an answer's record was away: [from, to]. */
  readonly outages: readonly (readonly [number, number])[];
  /** Stops breaking things, and resolves when everything is whole again. */
  finish(): Promise<void>;
}

const PLATFORM_FAULTS = [
  { kind: "status", status: 500, times: 3 },
  { kind: "status", status: 429, retry_after: 1, times: 2 },
  { kind: "timeout", ms: 3_000, times: 1 },
  { kind: "cut", times: 2 },
  { kind: "accept-then-cut", times: 1 },
  { kind: "slow", ms: 1_500, times: 3 },
];
const DELIVERY_FAULTS = [
  { copies: 2, shuffle: true, delayMs: 300 },
  { copies: 3, shuffle: true, delayMs: 50 },
  { copies: 1, shuffle: true, delayMs: 500 },
];

/** Breaks one thing after the other, at random, until told to stop. */
export function startChaos(rig: Rig, chance: Dice, log: (line: string) => void): Chaos {
  const done: Record<string, number> = {};
  const outages: [number, number][] = [];
  let breaking = true;
  const life = run();
  return {
    done,
    outages,
    finish: async () => {
      breaking = false;
      await life;
    },
  };

  async function run(): Promise<void> {
    while (breaking) {
      await pause(chance.between(300, 2_000));
      const deed = chance.pick(["part", "part", "journal", "platform", "platform", "delivery"]);
      if (deed === "part") await takeAway();
      else if (deed === "journal") await takeJournalAway();
      else await trouble(deed);
    }
    for (const platform of ["telegram", "whatsapp"] as const) {
      await fetch(`${rig[platform]}/_faults`, { method: "DELETE" });
      await post(`${rig[platform]}/_delivery`, { copies: 1, shuffle: false, delayMs: 0 });
    }
  }

  async function takeAway(): Promise<void> {
    const [name, part] = chance.pick(Object.entries(rig.parts) as [string, Breakable][]);
    const awayMs = chance.between(200, 4_000);
    note(`kill ${name}`, `for ${Math.round(awayMs)} ms`);
    const from = Date.now();
    await part.break();
    await pause(awayMs);
    await part.mend();
    outages.push([from, Date.now()]);
  }

  /** Kills Valkey while it holds messages that Postgres, killed before it, has not got: only Valkey's disk has them. */
  async function takeJournalAway(): Promise<void> {
    const { postgres, redis } = rig.parts;
    note("kill postgres, then redis before the replay");
    const from = Date.now();
    await postgres.break();
    await pause(5_000);
    await redis.break();
    await pause(chance.between(0, 1_000));
    await redis.mend();
    await pause(chance.between(0, 1_000));
    await postgres.mend();
    outages.push([from, Date.now()]);
  }

  async function trouble(deed: string): Promise<void> {
    const platform = chance.pick(["telegram", "whatsapp"] as const);
    if (deed === "platform") {
      const fault = chance.pick(PLATFORM_FAULTS);
      note(`${platform} ${fault.kind} ${fault.status ?? ""}`.trim());
      await post(`${rig[platform]}/_faults`, fault);
    } else {
      const settings = chance.pick(DELIVERY_FAULTS);
      note(`${platform} delivers ${settings.copies} times, shuffled`);
      await post(`${rig[platform]}/_delivery`, settings);
    }
  }

  function note(name: string, detail = ""): void {
    done[name] = (done[name] ?? 0) + 1;
    log(`${name} ${detail}`);
  }
}

async function post(url: string, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
