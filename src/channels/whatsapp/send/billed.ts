import type { Part } from "../../../core/answer/turn.ts";

/**
 * The category under which Meta bills a message: every message since October 2026, except reactions. A template is billed
 * in the category that its bot names, else as `template`.
 */
export function billedAs({ call, billed }: Part): string | undefined {
  if (call?.type === "reaction") return undefined;
  if (call?.type === "template") return billed ?? "template";
  if (call?.category === "utility") return "utility";
  return "service";
}
