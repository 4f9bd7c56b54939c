import { HubError } from "../core/errors.ts";

/** Collects what is misconfigured, so that all of it can be named at once. */
export interface Problems {
  readonly found: readonly string[];
  /** What `make` returns; undefined when it is misconfigured, which is then found. */
  attempt<T>(make: () => T): T | undefined;
}

/** Where nothing is wrong yet. */
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
