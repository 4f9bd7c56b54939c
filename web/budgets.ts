import { gzipSync } from "node:zlib";

/** A file of the build, with what it loads at once. */
export interface Built {
  readonly code: string | Uint8Array;
  /** The files that it cannot do without. */
  readonly imports: readonly string[];
}

interface Budget {
  readonly name: string;
  /** Finds the file by its path in the build. */
  readonly file: RegExp;
  /** The most bytes, with gzip, of the file and of all that it loads at once. */
  readonly most: number;
}

/** What the pages may weigh. The build fails beyond it. */
const BUDGETS: readonly Budget[] = [
  { name: "the simulator", file: /^assets\/simulator-[\w-]+\.js$/, most: 40_000 },
  // The button is all that a page of the shop loads before somebody opens the chat.
  { name: "the chat's button", file: /^chat\.js$/, most: 4_000 },
  { name: "the chat's window", file: /^assets\/window-[\w-]+\.js$/, most: 40_000 },
  { name: "the kiosk", file: /^assets\/kiosk-[\w-]+\.js$/, most: 90_000 },
  { name: "the kit's page", file: /^assets\/kit-[\w-]+\.js$/, most: 20_000 },
  { name: "the desk", file: /^assets\/desk-[\w-]+\.js$/, most: 48_000 },
];

/** Says which files are too large, one line each. A budget whose file is not in the build is skipped. */
export function tooLarge(files: ReadonlyMap<string, Built>): string[] {
  return weights(files).flatMap(({ name, bytes, most }) =>
    bytes > most ? [`${name} weighs ${bytes} bytes with gzip, ${bytes - most} more than it may`] : [],
  );
}

/** The weights of the build with their budgets. */
export function weights(files: ReadonlyMap<string, Built>): { name: string; bytes: number; most: number }[] {
  return BUDGETS.flatMap(({ name, file, most }) =>
    [...files.keys()]
      .filter((path) => file.test(path))
      .map((path) => ({
        name,
        most,
        bytes: withImports(path, files).reduce((sum, one) => sum + size(one), 0),
      })),
  );

  function size(path: string): number {
    return gzipSync(files.get(path)?.code ?? "").length;
  }
}

function withImports(path: string, files: ReadonlyMap<string, Built>, found: string[] = []): string[] {
  if (found.includes(path)) return found;
  found.push(path);
  for (const one of files.get(path)?.imports ?? []) withImports(one, files, found);
  return found;
}
