import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
/** Bindings, not variables. */
const BINDINGS = ["HYPERDRIVE", "LIVE", "ENTRY_LIMITER", "DEVICE_LIMITER", "CALLER_LIMITER", "MEDIA"];

const inTable = [...read("README.md").matchAll(/^\| (`[^|]*) \|/gm)]
  .flatMap(([, cell]) => [...cell!.matchAll(/`([A-Z][A-Z0-9_]+)`/g)])
  .map(([, name]) => name!)
  .filter((name) => !BINDINGS.includes(name))
  .sort();

test("the README's table, the example file and the code name the same settings", () => {
  const example = [...read(".dev.vars.example").matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(
    ([, name]) => name!,
  );
  const code = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.startsWith("node/"))
    .flatMap((file) => [
      ...read(join("src", file)).matchAll(/^ {2}([A-Z][A-Z0-9]*_[A-Z0-9_]+|BOT|ENVIRONMENT): (?!")/gm),
    ])
    .map(([, name]) => name!)
    .filter((name) => !BINDINGS.includes(name));
  expect(inTable.length).toBeGreaterThan(20);
  expect(example.sort()).toEqual(inTable);
  expect([...new Set(code)].sort()).toEqual(inTable);
});

test("docs/node.md's table and the code name the same settings of the hub under Node", () => {
  const names = (text: string, pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, name]) => name!).sort();
  const table = [...read("docs/node.md").matchAll(/^\| (`[A-Z][^|]*) \|/gm)].map(([, cell]) => cell).join();
  const code = names(read("src/node/settings.ts"), /^ {2}([A-Z][A-Z_]+): z/gm);
  expect(names(table, /`([A-Z][A-Z_]+)`/g).filter((name) => code.includes(name))).toEqual(code);
});
