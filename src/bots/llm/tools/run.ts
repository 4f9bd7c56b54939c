import type { ToolCall } from "../model.ts";
import { getCustomer } from "./customer.ts";
import { handOver } from "./hand-over.ts";
import { searchKnowledge } from "./knowledge.ts";
import { findOrders } from "./orders.ts";
import { bookReservation, cancelReservation, findReservations } from "./reservations.ts";
import type { Desk, Tool, ToolResult } from "./tool.ts";

/** All tools, by name. */
const TOOLS: Readonly<Record<string, Tool>> = Object.fromEntries(
  [
    findOrders,
    findReservations,
    bookReservation,
    cancelReservation,
    getCustomer,
    searchKnowledge,
    handOver,
  ].map((tool) => [tool.describe.name, tool]),
);

/** What the model may call. */
export const TOOL_DESCRIPTIONS = Object.values(TOOLS).map(({ describe }) => describe);

const LONGEST_RESULT = 8_000;
/** How often the same look-up is answered in one attempt. */
const MOST_SAME = 2;

/** Runs the calls of one attempt; a result is JSON for the model. */
export interface ToolRunner {
  run(call: ToolCall): Promise<string>;
}

/**
 * A runner on a desk. A call that changes something is done once per attempt: the same call again, under the same id or another one, gets
 * the first result. It takes effect only when the attempt's answer is saved, so over all attempts it is done once too. Throws what the
 * store throws.
 */
export function toolRunner(desk: Desk): ToolRunner {
  const done = new Map<string, { result: string; count: number }>();
  return {
    async run({ name, arguments: text }) {
      const tool = Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined;
      if (!tool) return said({ error: "there is no such tool", tools: Object.keys(TOOLS) });
      const given = parsed(text);
      if (given === undefined) return said({ error: "the arguments are not JSON" });
      const key = `${name} ${canonical(given)}`;
      const before = done.get(key);
      if (before && (tool.once || before.count >= MOST_SAME)) {
        before.count += 1;
        return before.count > MOST_SAME + 1
          ? said({ error: "you have this result already; answer the customer now" })
          : before.result;
      }
      const result = said(await tool.run(given, desk));
      done.set(key, { result, count: (before?.count ?? 0) + 1 });
      return result;
    },
  };
}

function said(result: ToolResult): string {
  const text = JSON.stringify(result);
  return text.length <= LONGEST_RESULT ? text : `${text.slice(0, LONGEST_RESULT).toWellFormed()} […]`;
}

function parsed(text: string): unknown {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** JSON with sorted keys at the top: the arguments of tools are flat. */
function canonical(value: unknown): string {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
