import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What setup remembers between two runs. Holds no secret. */
export interface Remembered {
  hub_url?: string;
  /** Answers that are no secrets, by setting. */
  answers: Record<string, string>;
  /** The steps that are done, each with what it was done for. */
  done: Record<string, string>;
  /** The settings that the Worker has as secrets. */
  stored: string[];
}

/** The files of setup, in a folder that git ignores. */
export interface Memory {
  readonly state: Remembered;
  /** The keys that setup has made, by setting. They are in `keys.env`, which only its owner can read. */
  readonly keys: Record<string, string>;
  save(): Promise<void>;
}

/** Reads what an earlier run has left. */
export async function memoryIn(dir: string): Promise<Memory> {
  const stateFile = join(dir, "state.json");
  const keysFile = join(dir, "keys.env");
  const state = { answers: {}, done: {}, stored: [], ...parse(await textOf(stateFile)) } as Remembered;
  const keys = Object.fromEntries(
    (await textOf(keysFile)).split("\n").flatMap((line) => {
      const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
      return name ? [[name, value!]] : [];
    }),
  );
  return {
    state,
    keys,
    async save() {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await writeFile(stateFile, `${JSON.stringify(state, null, 2)}\n`);
      const lines = Object.entries(keys).map(([name, value]) => `${name}=${value}\n`);
      await writeFile(
        keysFile,
        `# Made by npm run setup. Keep them in a password manager.\n${lines.join("")}`,
        { mode: 0o600 },
      );
      await chmod(keysFile, 0o600); // the file may be older
    },
  };
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

function parse(text: string): Partial<Remembered> {
  if (text === "") return {};
  try {
    return JSON.parse(text) as Partial<Remembered>;
  } catch {
    throw new Error("the state file of setup is not JSON: delete .setup/state.json to begin anew");
  }
}
