import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
let copy: string | undefined;

afterEach(async () => {
  if (copy) await rm(copy, { recursive: true });
  copy = undefined;
});

/** A step of the README: a file to write, a patch to apply, or a command to run. */
type Step = { file: string; text: string } | { patch: string } | { command: string };

test("following the README's steps gives a new channel that compiles and passes its tests", async () => {
  copy = await copyOfTheTree();
  const steps = stepsOf(await readFile(join(root, "README.md"), "utf8"));
  expect(steps.map((step) => Object.keys(step)[0])).toEqual([
    "file", // the channel
    "patch", // the lists
    ...Array(4).fill("file"), // its fixtures
    "command",
  ]);
  for (const step of steps) {
    if ("file" in step) await write(join(copy, step.file), step.text);
    else if ("patch" in step) await apply(copy, step.patch);
    else {
      const said = await follow(copy, step.command);
      for (const name of ["toy > reads text", "toy > sends: send", "toy > sends a code: code"])
        expect(said).toContain(name);
    }
  }
}, 600_000);

/** What is in the repository, and what would be: without what git ignores, and with the packages of this one. */
async function copyOfTheTree(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "session-hub-copy-"));
  const { stdout } = await run("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: root,
    maxBuffer: 2 ** 24,
  });
  for (const file of stdout.split("\n").filter(Boolean))
    await cp(join(root, file), join(folder, file)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error; // deleted, and not yet committed so
    });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function stepsOf(readme: string): Step[] {
  const section = /### Add a channel\n([\s\S]*?)\n### /.exec(readme)![1]!;
  const steps: Step[] = [];
  for (const [, before, kind, body] of section.matchAll(
    /(.*(?:\n.*)?)\n\n {3}```(\w+)\n([\s\S]*?)\n {3}```/g,
  )) {
    const text = `${body!.replaceAll(/^ {3}/gm, "")}\n`;
    const file = [...before!.matchAll(/`((?:src|test)\/[\w./-]+\.(?:ts|json))`/g)];
    if (kind === "diff") steps.push({ patch: text });
    else if (kind === "ts") steps.push({ file: /Write `(src\/[^`]+)`/.exec(section)![1]!, text });
    else steps.push({ file: file.at(-1)![1]!, text });
  }
  const command = /^5\. `(.+)`$/m.exec(section)![1]!;
  return [...steps, { command }];
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function apply(folder: string, patch: string): Promise<void> {
  await writeFile(join(folder, "step.diff"), patch);
  // Line numbers move; the lines around a change say where it belongs.
  await run("git", ["apply", "step.diff"], { cwd: folder });
}

/**
 * Runs a step's command as a shell would, of the tests only those it is about; returns what it says, throws when it
 * fails.
 */
async function follow(folder: string, command: string): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS)/.test(name)),
  );
  const PATH = `${join(folder, "node_modules/.bin")}:${process.env.PATH}`;
  const options = { cwd: folder, env: { ...env, PATH, CI: "1", NO_COLOR: "1" }, maxBuffer: 2 ** 24 };
  try {
    return (
      await run(
        "sh",
        ["-c", command.replace("vitest run", "vitest run --reporter=verbose -t 'toy|the map'")],
        options,
      )
    ).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command}\n${stdout}\n${stderr}`, { cause: error });
  }
}
