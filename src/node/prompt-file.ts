import { readFileSync } from "node:fs";
import { HubError } from "../core/errors.ts";
import type { Env } from "../core/settings.ts";

/**
 * The system prompt of the language model from the file that `LLM_SYSTEM_PROMPT_FILE` names, as the setting `LLM_SYSTEM_PROMPT`, and the other one empty; nothing without
 * such a file. Throws `misconfigured` if it cannot be read, or if both are set.
 */
export function promptFromFile({
  LLM_SYSTEM_PROMPT_FILE: path,
  LLM_SYSTEM_PROMPT: given,
}: Env): Record<string, string> {
  if (typeof path !== "string" || path === "") return {};
  if (given)
    throw new HubError(
      "misconfigured",
      "LLM_SYSTEM_PROMPT and LLM_SYSTEM_PROMPT_FILE are both set; keep one",
    );
  try {
    return { LLM_SYSTEM_PROMPT: readFileSync(path, "utf8").trim(), LLM_SYSTEM_PROMPT_FILE: "" };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new HubError("misconfigured", `LLM_SYSTEM_PROMPT_FILE cannot be read (${code})`);
  }
}
