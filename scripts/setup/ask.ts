import type { Readable, Writable } from "node:stream";
import * as clack from "@clack/prompts";
import type { Outcome } from "./outcome.ts";

/** Thrown when the person stops the walk. */
export class Stopped extends Error {
  constructor() {
    super("stopped; what is done stays done: npm run setup goes on from here");
  }
}

/** Whom setup asks, and what shows how it goes. */
export interface Asker {
  /** Whether there is a person to answer. Without one, everything comes from the environment. */
  readonly isPerson: boolean;
  begin(title: string): void;
  end(text: string): void;
  note(title: string, text: string): void;
  show(outcome: Outcome): void;
  /** Runs work and shows that it runs. */
  during<T>(text: string, work: () => Promise<T>): Promise<T>;
  text(question: string, initial?: string): Promise<string>;
  /** Asks for a secret, which is not shown. */
  secret(question: string): Promise<string>;
  confirm(question: string, initial: boolean): Promise<boolean>;
  choose<T extends string>(question: string, options: readonly { value: T; label: string }[]): Promise<T>;
}

/** Asks a person in the terminal. Throws `Stopped`. */
export function person(streams: { input?: Readable; output?: Writable } = {}): Asker {
  const answered = async <T>(asked: Promise<unknown>): Promise<T> => {
    const answer = await asked;
    if (clack.isCancel(answer)) throw new Stopped();
    return answer as T;
  };
  const validate = (value: string | undefined) => (value?.trim() ? undefined : "It is needed here.");
  return {
    isPerson: true,
    begin: (title) => clack.intro(title, streams),
    end: (text) => clack.outro(text, streams),
    note: (title, text) => clack.note(text, title, streams),
    show({ name, state, text, mend }) {
      const line = `${name}: ${text}${mend && state !== "ok" ? `\n→ ${mend}` : ""}`;
      if (state === "ok") clack.log.success(line, streams);
      else if (state === "fail") clack.log.error(line, streams);
      else if (state === "warn") clack.log.warn(line, streams);
      else clack.log.info(line, streams);
    },
    async during(text, work) {
      clack.log.step(`${text} …`, streams);
      return work();
    },
    text: async (message, initialValue) =>
      (
        await answered<string>(
          clack.text({ message, validate, ...(initialValue && { initialValue }), ...streams }),
        )
      ).trim(),
    secret: async (message) =>
      (await answered<string>(clack.password({ message, validate, ...streams }))).trim(),
    confirm: (message, initialValue) =>
      answered<boolean>(clack.confirm({ message, initialValue, ...streams })),
    choose: <T extends string>(message: string, options: readonly { value: T; label: string }[]) =>
      answered<T>(clack.select<T>({ message, options: [...options] as clack.Option<T>[], ...streams })),
  };
}

/** Asks nobody: a script has put everything into the environment. `say` gets one line for each outcome. */
export function nobody(say: (line: string) => void): Asker {
  const cannot = (question: string): Promise<never> =>
    Promise.reject(new Error(`nobody is there to answer: ${question}`));
  return {
    isPerson: false,
    begin: () => {},
    end: say,
    note: (title, text) => say(`${title}\n${text}`),
    show: ({ name, state, text, mend }) =>
      say(`${state.padEnd(7)} ${name}: ${text}${mend && state !== "ok" ? ` → ${mend}` : ""}`),
    during: (_text, work) => work(),
    text: cannot,
    secret: cannot,
    confirm: async (_question, initial) => initial,
    choose: async (_question, [first]) => first!.value,
  };
}
