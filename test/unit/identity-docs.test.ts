import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { mergeDocuments } from "../../src/core/sessions/merge-documents.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/identity.md"), "utf8");
const [, section = ""] = page.split("### Merging loses nothing");
/** The rows of the section's table whose first cell is a document. */
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| `{"))
  .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")));

test("the page gives examples", () => expect(rows.length).toBeGreaterThan(4));

test.for(rows)("docs/identity.md: %s%s and %s", ([, older, newer, merged, listed]) => {
  const parse = (text: string | undefined) => JSON.parse(text!);
  const result = mergeDocuments(
    { session_id: "older", data: parse(older), metadata: {} },
    { session_id: "newer", data: parse(newer), metadata: {} },
  );
  expect(result.data).toEqual(parse(merged));
  const conflicts = listed ? [{ ...parse(listed), session_id: "older" }] : undefined;
  expect(result.metadata.merge_conflicts).toEqual(conflicts);
});
