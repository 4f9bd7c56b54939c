/**
 * `npm run doctor`: what is wrong with a running hub, line by line, each with the command that mends it. Keys come from the environment and
 * from `.setup/`. A check without its keys is skipped, and says which it needs. `-- --json` prints the list. Exits with 1 if one fails.
 */
import { parseArgs, styleText } from "node:util";
import { examine } from "./setup/examine.ts";
import { memoryIn } from "./setup/memory.ts";
import { programs } from "./setup/wrangler.ts";

const SIGNS = {
  ok: ["green", "✓"],
  warn: ["yellow", "!"],
  fail: ["red", "✗"],
  skipped: ["dim", "-"],
} as const;

try {
  const { json } = parseArgs({ options: { json: { type: "boolean", default: false } } }).values;
  const { state, keys } = await memoryIn(process.env.SETUP_DIR || ".setup");
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== ""));
  const values = { HUB_URL: state.hub_url, ...state.answers, ...keys, ...given };
  const outcomes = await examine(values, programs(), () => new Date());
  if (json)
    console.log(
      JSON.stringify({ ok: outcomes.every(({ state }) => state !== "fail"), checks: outcomes }, null, 2),
    );
  else
    for (const { name, state, text, mend } of outcomes) {
      const [colour, sign] = SIGNS[state];
      console.log(styleText(colour, `${sign} ${name}: ${text}`));
      if (mend && state !== "ok") console.log(`    → ${mend}`);
    }
  process.exitCode = outcomes.some(({ state }) => state === "fail") ? 1 : 0;
} catch (error) {
  console.error((error as Error).message); // no more: other properties may hold addresses with keys
  process.exitCode = 1;
}
