import { HubError } from "../core/errors.ts";

/** Collects `misconfigured` errors, so that all of them are named at once. */
export interface Problems {
  readonly found: readonly string[];
  /** Returns the result of `make`. If it throws `misconfigured`: adds the message to `found` and returns undefined. */
  attempt<T>(make: () => T): T | undefined;
}

/** A new, empty collection. */
export function collectProblems(): Problems {
  const found: string[] = [];
  return {
    found,
    attempt(make) {
      try {
        return make();
      } catch (error) {
        if (!(error instanceof HubError && error.code === "misconfigured")) throw error;
        found.push(error.message);
        return undefined;
      }
    },
  };
}
