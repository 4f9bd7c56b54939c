import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const source = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
let text: Promise<string> | undefined;

/** The page's violations of WCAG 2.2 A and AA and of axe's best practices, each as one line; none is an empty list. */
export async function violations(page: Page): Promise<string[]> {
  text ??= readFile(source, "utf8");
  // By the debugger, so that the page's content security policy stays as it is.
  await page.evaluate(await text);
  const { violations } = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as {
    violations: { id: string; help: string; nodes: { target: unknown; failureSummary: string }[] }[];
  };
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${JSON.stringify(target)} ${failureSummary}`),
  );
}
