import { z } from "zod";
import type { BotParts, Handoff } from "../../../core/answer/bot.ts";
import type { Turn } from "../../../core/answer/turn.ts";
import type { Action } from "../../../features/actions/action.ts";
import type { Features } from "../../../features/features.ts";
import type { QuestionVector } from "../../../features/knowledge/knowledge.ts";
import type { ToolDescription } from "../model.ts";
import type { Sources } from "../sources.ts";

/** What the tools of one attempt share. Whom they reach comes from the turn alone. */
export interface Desk {
  readonly turn: Turn;
  readonly parts: BotParts;
  readonly features: Features;
  readonly timezone: string;
  /** What is saved together with the answer. */
  readonly actions: Action[];
  readonly sources: Sources;
  handoff: Handoff | undefined;
  /** The vector of a question for the search in documents; undefined if there is none. */
  near(question: string): Promise<QuestionVector | undefined>;
}

/** What a tool says to the model. */
export type ToolResult = Readonly<Record<string, unknown>>;

/** Something that the model may ask the hub for. */
export interface Tool {
  readonly describe: ToolDescription;
  /** Whether the same call in one attempt is done once, however often the model asks. */
  readonly once: boolean;
  /** Runs it with the model's arguments, which are checked here. */
  run(given: unknown, desk: Desk): Promise<ToolResult>;
}

/** Makes a tool whose arguments fit `input`. Wrong arguments are told to the model. */
export function toolOf<S extends z.ZodObject>(
  name: string,
  description: string,
  input: S,
  work: (args: z.output<S>, desk: Desk) => Promise<ToolResult>,
  once = false,
): Tool {
  const { $schema: _, ...parameters } = z.toJSONSchema(input, { io: "input" });
  return {
    describe: { name, description, parameters },
    once,
    async run(given, desk) {
      const args = input.safeParse(given);
      if (args.success) return work(args.data, desk);
      return { error: "wrong arguments", details: wrongIn(args.error) };
    },
  };
}

/** The places and kinds of wrong arguments. */
export function wrongIn({ issues }: z.ZodError): string[] {
  return issues.slice(0, 5).map(({ path, message }) => `${path.join(".")}: ${message}`.slice(0, 200));
}
