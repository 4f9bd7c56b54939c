/**
 * `npm run soak -- --minutes 10 [--seed N] [--customers N]`: the fault tests, for longer. Exits with 1 on a broken
 * promise.
 */
import { parseArgs } from "node:util";
import { runFaults } from "./run.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    customers: { type: "string", default: "40" },
  },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const { counts, wrong, broken } = await runFaults({
  seed,
  seconds: Number(values.minutes) * 60,
  customers: Number(values.customers),
  pauseMs: 500,
  log: (line) => console.log(line),
});
console.log("\nbroken");
for (const [name, times] of Object.entries(broken)) console.log(`  ${name.padEnd(60)} ${times}`);
console.log("\ncounted");
for (const [name, count] of Object.entries(counts)) console.log(`  ${name.padEnd(60)} ${count}`);
for (const line of wrong) console.log(`\nWRONG: ${line}`);
console.log(
  `\n${wrong.length === 0 ? "all is well" : "not all is well"}; seed ${seed} plays the same chaos again`,
);
process.exit(wrong.length === 0 ? 0 : 1);
