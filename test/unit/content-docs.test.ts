import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { contentPage } from "../../dev/content-docs.ts";

test("docs/content.md is what the channels' tables say; npm run docs writes it", async () => {
  expect(readFileSync("docs/content.md", "utf8")).toBe(await contentPage());
});
