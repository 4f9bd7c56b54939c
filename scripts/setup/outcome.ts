/** How a check or a step ended. `mend` is the command or the place that mends it. No field holds a secret. */
export interface Outcome {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail" | "skipped";
  readonly text: string;
  readonly mend?: string;
}

export function ok(name: string, text: string): Outcome {
  return { name, state: "ok", text };
}
export function warn(name: string, text: string, mend: string): Outcome {
  return { name, state: "warn", text, mend };
}
export function fail(name: string, text: string, mend: string): Outcome {
  return { name, state: "fail", text, mend };
}
export function skipped(name: string, text: string, mend?: string): Outcome {
  return { name, state: "skipped", text, ...(mend && { mend }) };
}

/** Runs a check. What it throws becomes a failure, with the error's message, which callers keep free of secrets. */
export async function outcomeOf(name: string, mend: string, check: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await check();
  } catch (error) {
    return fail(name, error instanceof Error ? error.message : String(error), mend);
  }
}
