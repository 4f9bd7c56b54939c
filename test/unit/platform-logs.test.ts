import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** The tables of a TOML file, each as its lines. */
function tablesOf(text: string): Map<string, string[]> {
  const tables = new Map<string, string[]>([["", []]]);
  let lines = tables.get("")!;
  for (const line of text.split("\n").map((one) => one.replace(/#.*/, "").trim())) {
    const name = /^\[([\w.]+)\]$/.exec(line)?.[1];
    if (name === undefined) {
      if (line !== "") lines.push(line);
      continue;
    }
    lines = [];
    tables.set(name, lines);
  }
  return tables;
}

test("Cloudflare keeps the hub's own lines, and none with the URLs of its callers", () => {
  const tables = tablesOf(readFileSync("wrangler.toml", "utf8"));
  expect(tables.get("observability")).toContain("enabled = true");
  expect(tables.get("observability.logs")).toEqual(["enabled = true", "invocation_logs = false"]);
  const traces = [...tables.keys()].filter((name) => /traces|env\./.test(name));
  expect(traces).toEqual([]);
});
