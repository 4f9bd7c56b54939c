/**
 * `npm run setup`: from an empty checkout to a live hub. docs/setup.md shows the walk. For scripts: `-- --yes` asks nothing and takes
 * every key from the environment, `-- --json` prints one JSON document besides. Exits with 1 where the hub is not live.
 */
import { parseArgs } from "node:util";
import { nobody, person, Stopped } from "./setup/ask.ts";
import { memoryIn } from "./setup/memory.ts";
import { walk } from "./setup/walk.ts";
import { programs } from "./setup/wrangler.ts";

try {
  const { yes, json } = flags();
  const asker = yes || json ? nobody(json ? () => {} : console.log) : person();
  if (asker.isPerson && !process.stdin.isTTY)
    throw new Error("no terminal to ask in: npm run setup -- --yes takes every key from the environment");
  const memory = await memoryIn(process.env.SETUP_DIR || ".setup");
  const report = await walk({ env: process.env, asker, memory, run: programs(), now: () => new Date() });
  if (json) console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.ok ? 0 : 1;
} catch (error) {
  console.error((error as Error).message); // no more: other properties may hold addresses with keys
  process.exitCode = error instanceof Stopped ? 130 : 1;
}

function flags(): { yes: boolean; json: boolean } {
  const flag = { type: "boolean", default: false } as const;
  return parseArgs({ options: { yes: flag, json: flag } }).values;
}
