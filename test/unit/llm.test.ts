import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { localSettings } from "../../dev/settings.ts";
import { botOf, bots } from "../../src/bots/index.ts";
import { cutTo, estimateTokens } from "../../src/bots/llm/tokens.ts";
import { assemble } from "../../src/compose/assembly.ts";
import { promptFromFile } from "../../src/node/prompt-file.ts";

const good = { LLM_BASE_URL: "https://llm.example/v1", LLM_MODEL: "m", LLM_API_KEY: "k" };
const log = () => {};

function wrongWith(env: Record<string, string>): string {
  try {
    bots.llm!({ ...good, ...env }, { log });
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

describe("the settings of the language model", () => {
  test("choose it, unless another bot is chosen", () => {
    expect(botOf(good, log)).toMatchObject({ name: "llm", bot: { batch: true, needsDatabase: true } });
    expect(botOf({ ...good, BOT: "echo" }, log).name).toBe("echo");
    const webhook = { BOT_WEBHOOK_URL: "https://bot.example/", BOT_WEBHOOK_SECRET: "the secret of the bot" };
    expect(botOf({ ...good, ...webhook }, log).name).toBe("webhook");
  });

  test.each([
    [{ LLM_BASE_URL: "" }, "LLM_BASE_URL is missing"],
    [{ LLM_MODEL: "" }, "LLM_MODEL is missing"],
    [{ LLM_API_KEY: "" }, "LLM_API_KEY is missing"],
    [{ LLM_BASE_URL: "http://llm.example/v1" }, "LLM_BASE_URL must be an https URL"],
    [{ LLM_BASE_URL: "https://user:password@llm.example/v1" }, "LLM_BASE_URL must be an https URL"],
    [{ LLM_TIMEZONE: "Mars/Base" }, "LLM_TIMEZONE must be a time zone"],
    [{ LLM_TIMEOUT_SECONDS: "30" }, "LLM_TIMEOUT_SECONDS must be at most 22"],
    [{ LLM_TURN_STEPS: "0" }, "LLM_TURN_STEPS must be at least 1"],
    [{ LLM_TURN_TOKENS: "many" }, "LLM_TURN_TOKENS must be a"],
    [{ LLM_ANSWER_TOKENS: "5000" }, "LLM_ANSWER_TOKENS must be at most a quarter of LLM_TURN_TOKENS"],
    [{ LLM_CUSTOMER_DAY_TOKENS: "5000" }, "LLM_CUSTOMER_DAY_TOKENS must be at least LLM_TURN_TOKENS"],
    [{ LLM_CUSTOMER_DAY_TURNS: "-1" }, "LLM_CUSTOMER_DAY_TURNS must be at least 1"],
    [{ LLM_DAY_COST: "5" }, "LLM_DAY_COST needs LLM_INPUT_PRICE and LLM_OUTPUT_PRICE"],
    [{ LLM_INPUT_PRICE: "free" }, "LLM_INPUT_PRICE must be a number"],
    [{ LLM_SYSTEM_PROMPT_FILE: "prompt.md" }, "LLM_SYSTEM_PROMPT_FILE: a Worker reads no files"],
    [{ LLM_EMBEDDINGS_API_KEY: "k" }, "LLM_EMBEDDINGS_MODEL is missing"],
    [
      { LLM_EMBEDDINGS_MODEL: "m", LLM_EMBEDDINGS_BASE_URL: "https://other.example/v1" },
      "LLM_EMBEDDINGS_API_KEY is missing",
    ],
  ] as [Record<string, string>, string][])("are refused by name: %j", (env, message) => {
    expect(wrongWith(env)).toContain(message);
  });

  test("need no key on the same machine", () => {
    for (const host of ["127.0.0.1:11434", "localhost:1234", "[::1]:8000"])
      expect(wrongWith({ LLM_BASE_URL: `http://${host}/v1`, LLM_API_KEY: "" })).toBe("");
  });

  test("may have the system prompt in a file, for the hub under Node and on this machine", async () => {
    const dir = await mkdtemp(join(tmpdir(), "prompt-"));
    const LLM_SYSTEM_PROMPT_FILE = join(dir, "prompt.md");
    await writeFile(LLM_SYSTEM_PROMPT_FILE, "You sell tea.\n");
    const read = promptFromFile({ LLM_SYSTEM_PROMPT_FILE });
    expect(read.LLM_SYSTEM_PROMPT).toBe("You sell tea.");
    expect(wrongWith({ LLM_SYSTEM_PROMPT_FILE, ...read })).toBe("");
    expect(localSettings({ LLM_SYSTEM_PROMPT_FILE }).vars).toMatchObject(read);
    expect(promptFromFile({ LLM_SYSTEM_PROMPT: "You sell." })).toEqual({});
    expect(() => promptFromFile({ LLM_SYSTEM_PROMPT_FILE, LLM_SYSTEM_PROMPT: "x" })).toThrow("are both set");
    expect(() => promptFromFile({ LLM_SYSTEM_PROMPT_FILE: dir })).toThrow("cannot be read (EISDIR)");
    await rm(dir, { recursive: true });
  });

  test("without a database serve only /health", () => {
    const lines: string[] = [];
    assemble({ ...good, ENVIRONMENT: "development" }, "1", (_, event, fields) => {
      lines.push(`${event} ${JSON.stringify(fields)}`);
    });
    expect(lines.join("\n")).toContain("BOT=llm needs a database");
  });
});

describe("the estimate of tokens", () => {
  test("is more than a token for four letters of English, and than one for each character of other scripts", () => {
    const english = "Hello, I would like to book a table for four people tomorrow evening.";
    expect(estimateTokens(english)).toBeGreaterThan(english.length / 4);
    for (const text of ["नमस्ते मैं कल शाम", "明日の夜、四人で", "مرحبًا أود حجز طاولة", "🙂🙃"])
      expect(estimateTokens(text)).toBeGreaterThanOrEqual(Array.from(text.replaceAll(" ", "")).length);
    expect(estimateTokens("")).toBe(0);
  });

  test("cuts a text to a size, between characters", () => {
    for (const text of ["word ".repeat(1_000), "🙂".repeat(1_000), "नमस्ते ".repeat(500)]) {
      const cut = cutTo(text, 100);
      expect(estimateTokens(cut)).toBeLessThanOrEqual(105);
      expect(estimateTokens(cut)).toBeGreaterThan(90);
      expect(cut.isWellFormed()).toBe(true);
    }
    expect(cutTo("short", 100)).toBe("short");
  });
});
