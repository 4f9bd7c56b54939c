import { failureOf, HubError } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import { sweep } from "../core/sweep/sweep.ts";
import type { Assembly } from "./assembly.ts";

/** Runs one sweep. A failure is logged in one line; anything but a `HubError` is a bug and thrown. */
export async function sweepOnce(
  assembly: Assembly,
  log: Log,
  later: (work: Promise<unknown>) => void,
): Promise<void> {
  try {
    const { hub, close } = assembly.open(log, later);
    try {
      await sweep(hub, assembly.sweep);
    } finally {
      await close();
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    // Wrong settings were already logged at the start.
    if (error.code !== "misconfigured") log("warn", "sweep.failed", failureOf(error));
  }
}
