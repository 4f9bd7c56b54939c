import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Emulator } from "../emulators/server.ts";
import { CLOCK_PATH } from "./worker-control.ts";

/** The time in the hub and at the platforms, ahead of this machine's by some ms. It never goes back. */
export interface Clock {
  readonly aheadMs: number;
  jump(ms: number): Promise<void>;
  /** Sets the clocks of parts that have just started. */
  apply(): Promise<void>;
}

/** The clock of a stack whose state lies in `dir`: it stays ahead over restarts, as the stored times do. */
export async function createClock(dir: string, hub: string, emulators: readonly Emulator[]): Promise<Clock> {
  const file = join(dir, "clock.json");
  let aheadMs = await readFile(file, "utf8").then(
    (text) => Number(JSON.parse(text)),
    () => 0,
  );

  async function apply(): Promise<void> {
    for (const { url } of emulators)
      await fetch(`${url}/_settings`, { method: "POST", body: JSON.stringify({ aheadMs }) });
    await fetch(hub + CLOCK_PATH, { method: "POST", body: String(aheadMs) });
  }

  return {
    get aheadMs() {
      return aheadMs;
    },
    apply,
    async jump(ms) {
      aheadMs += ms;
      await mkdir(dir, { recursive: true });
      await writeFile(file, JSON.stringify(aheadMs));
      await apply();
    },
  };
}
