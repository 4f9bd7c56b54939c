import type { z } from "zod";
import { HubError } from "./errors.ts";

/** The Worker's environment: variables, secrets and bindings. */
export type Env = Readonly<Record<string, unknown>>;

/** Whether `ENVIRONMENT` says that the hub runs on a developer's machine. Any other value is production. */
export function isDevelopment({ ENVIRONMENT }: Env): boolean {
  return ENVIRONMENT === "development";
}

/**
 * The settings of one part of the hub, or `undefined` if none of its required ones is set: that part is off. Throws
 * `misconfigured` if some are missing or one is wrong, and names each such variable.
 */
export function settingsOf<S extends z.ZodObject>(part: string, schema: S, env: Env): z.infer<S> | undefined {
  const given = Object.fromEntries(
    Object.keys(schema.shape).map((key) => [key, env[key] === "" ? undefined : env[key]]),
  );
  const required = Object.keys(schema.shape).filter((key) => !schema.shape[key].safeParse(undefined).success);
  if (required.length > 0 && required.every((key) => given[key] === undefined)) return undefined;
  const result = schema.safeParse(given, { error: wording });
  if (result.success) return result.data;
  const wrong = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`;
  });
  const isHalf = result.error.issues.some(({ path }) => given[String(path[0])] === undefined);
  const state = isHalf ? "is half configured" : "has a wrong setting";
  throw new HubError("misconfigured", `${part} ${state}: ${wrong.join("; ")}`);
}

/** The error text for a wrong value whose schema has no text of its own. It never contains the value. */
function wording(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case "too_small":
      if (issue.origin !== "number" && issue.origin !== "int") return undefined;
      return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
    case "too_big":
      if (issue.origin !== "number" && issue.origin !== "int") return undefined;
      return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "invalid_value":
      return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.join(", ")}`;
    case "invalid_type":
      if (issue.expected === "int") return "must be a whole number";
      return issue.expected === "number" ? "must be a number" : undefined;
    default:
      return undefined;
  }
}
