/**
 * `npm run bench [name ...]`: runs the benchmarks, prints their tables and writes `bench/results/<name>.json`.
 * `-- --quick` does a tenth of the work. A missed aim is printed, and does not fail the run.
 */
import { mkdir, rm } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { ack } from "./ack.ts";
import { campaign } from "./campaign.ts";
import { desk } from "./desk.ts";
import { durable } from "./durable.ts";
import { events } from "./events.ts";
import { functions } from "./functions.ts";
import { history } from "./history.ts";
import { type Bench, keep, print } from "./lib/result.ts";
import { live } from "./live.ts";
import { media } from "./media.ts";
import { reply } from "./reply.ts";
import { search } from "./search.ts";
import { simulator } from "./simulator.ts";
import { size } from "./size.ts";
import { stats } from "./stats.ts";
import { sweep } from "./sweep.ts";
import { timing } from "./timing.ts";
import { turns } from "./turns.ts";

const benches: readonly Bench[] = [
  ack,
  reply,
  functions,
  events,
  durable,
  history,
  turns,
  live,
  media,
  campaign,
  desk,
  simulator,
  search,
  stats,
  sweep,
  timing,
  size,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false } },
});
const unknown = positionals.find((name) => !benches.some((bench) => bench.name === name));
if (unknown) {
  console.error(`there is no benchmark ${unknown}; there are ${benches.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const scale = values.quick ? 0.1 : 1;
const home = resolve(process.env.LOCAL_DIR || ".local", "bench");
const began = performance.now();
console.log(
  `${cpus().length} cores, ${cpus()[0]?.model}, Node ${process.version}, load ${loadavg()[0]!.toFixed(2)}`,
);
for (const bench of benches) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  const dir = join(home, bench.name);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const progress = (line: string) => console.log(styleText("dim", `${clock()}  ${bench.name}  ${line}`));
  try {
    const result = await bench.run({ dir, scale, progress });
    print(result);
    await keep(bench.name, scale, result);
  } catch (error) {
    console.error(styleText("red", `${bench.name} broke: ${error instanceof Error ? error.stack : error}`));
    process.exitCode = 1;
  }
  await rm(dir, { recursive: true, force: true });
}
console.log(`took ${clock()}`);

function clock(): string {
  const seconds = Math.round((performance.now() - began) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
