import type { SeededRandom } from "./random.ts";
import type { Breakable, Rig } from "./rig.ts";

export interface Chaos {
  /** How often each kind of trouble was made, by name. */
  readonly done: Readonly<Record<string, number>>;
  /** The times during which a part that records answers was down: [from, to]. */
  readonly outages: readonly (readonly [number, number])[];
  /** Stops, and resolves when every part is up again. */
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

/** Breaks parts at random, one after another, until stopped. */
export function startChaos(rig: Rig, random: SeededRandom, log: (line: string) => void): Chaos {
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
      await pause(random.between(300, 2_000));
      const kind = random.pick(["part", "part", "journal", "platform", "platform", "delivery"]);
      if (kind === "part") await takeAway();
      else if (kind === "journal") await takeJournalAway();
      else await trouble(kind);
    }
    for (const platform of ["telegram", "whatsapp"] as const) {
      await fetch(`${rig[platform]}/_faults`, { method: "DELETE" });
      await post(`${rig[platform]}/_delivery`, { copies: 1, shuffle: false, delayMs: 0 });
    }
  }

  async function takeAway(): Promise<void> {
    const [name, part] = random.pick(Object.entries(rig.parts) as [string, Breakable][]);
    const awayMs = random.between(200, 4_000);
    note(`kill ${name}`, `for ${Math.round(awayMs)} ms`);
    const from = Date.now();
    await part.break();
    await pause(awayMs);
    await part.mend();
    outages.push([from, Date.now()]);
  }

  /** Kills Postgres and then Valkey, while only Valkey's disk holds some messages. */
  async function takeJournalAway(): Promise<void> {
    const { postgres, redis } = rig.parts;
    note("kill postgres, then redis before the replay");
    const from = Date.now();
    await postgres.break();
    await pause(5_000);
    await redis.break();
    await pause(random.between(0, 1_000));
    await redis.mend();
    await pause(random.between(0, 1_000));
    await postgres.mend();
    outages.push([from, Date.now()]);
  }

  async function trouble(kind: string): Promise<void> {
    const platform = random.pick(["telegram", "whatsapp"] as const);
    if (kind === "platform") {
      const fault = random.pick(PLATFORM_FAULTS);
      note(`${platform} ${fault.kind} ${fault.status ?? ""}`.trim());
      await post(`${rig[platform]}/_faults`, fault);
    } else {
      const settings = random.pick(DELIVERY_FAULTS);
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
