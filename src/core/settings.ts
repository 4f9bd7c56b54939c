import type { z } from "zod";
import { HubError } from "./errors.ts";

/** What the Worker is given: variables, secrets and bindings. */
export type Env = Readonly<Record<string, unknown>>;

/**
 * The settings of one part of the hub, or `undefined` when none of its required ones is there: that part is off.
 * Throws `misconfigured`, naming the variable, when some are missing or one is wrong.
 */
export function settingsOf<S extends z.ZodObject>(part: string, schema: S, env: Env): z.infer<S> | undefined {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((key) => [key, env[key] === "" ? undefined : env[key]]),
  );
  const required = Object.keys(schema.shape).filter((key) => !schema.shape[key].safeParse(undefined).success);
  if (required.length > 0 && required.every((key) => given[key] === undefined)) return undefined;
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const wrong = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`;
  });
  throw new HubError("misconfigured", `${part} is half configured: ${wrong.join("; ")}`);
}
