/** Measures the Worker's size and the CPU time of its start, beside the platform's limits and a minimal Worker. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Bundle, bareWorker, bundle, HUB, wrangler } from "./lib/bundle.ts";
import { type Aim, type Bench, type Context, ms, type Result, scaled } from "./lib/result.ts";
import { median } from "./lib/stats.ts";

/**
 * The size limit of the free plan; the paid plan allows 10 MB:
 * https://developers.cloudflare.com/workers/platform/limits/
 */
const LARGEST_BYTES = 3_000_000;
const LONGEST_START_MS = 1_000;

interface Measured {
  readonly name: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly startMs: number;
}

export const size: Bench = {
  name: "size",
  async run(context) {
    context.progress("bundling");
    const hub = await bundle(HUB, join(context.dir, "hub"));
    const bare = await bundle(bareWorker("bare"), join(context.dir, "bare"));
    const starts: [number[], number[]] = [[], []];
    const times = scaled(context, 9, 3);
    for (let round = 1; round <= times; round++) {
      context.progress(`start ${round} of ${times}`);
      starts[0].push(await startTime(context, hub));
      starts[1].push(await startTime(context, bare));
    }
    return resultOf([
      await measured("hub", hub, starts[0]),
      await measured("bare Worker, signature and JSON", bare, starts[1]),
    ]);
  },
};

async function measured(name: string, { file }: Bundle, starts: readonly number[]): Promise<Measured> {
  const code = await readFile(file);
  return { name, bytes: code.length, gzipBytes: gzipSync(code).length, startMs: median(starts) };
}

/** The busy samples of one start's CPU profile, including garbage collection. */
async function startTime({ dir }: Context, { config }: Bundle): Promise<number> {
  const file = join(dir, "startup.cpuprofile");
  await wrangler("check", "startup", "--config", config, "--outfile", file);
  const profile = JSON.parse(await readFile(file, "utf8")) as Profile;
  await rm(file);
  const idle = new Set(
    profile.nodes.filter(({ callFrame }) => callFrame.functionName === "(idle)").map(({ id }) => id),
  );
  const active = profile.samples.map((id, i) => (idle.has(id) ? 0 : profile.timeDeltas[i]!));
  return active.reduce((sum, delta) => sum + delta, 0) / 1000;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { readonly functionName: string } }[];
  readonly samples: readonly number[];
  /** The time before each sample in microseconds. */
  readonly timeDeltas: readonly number[];
}

function resultOf(figures: readonly [Measured, Measured]): Result {
  const [hub] = figures;
  const aims: Aim[] = [
    {
      aim: `gzip within the free plan's ${LARGEST_BYTES / 1e6} MB`,
      found: kb(hub.gzipBytes),
      met: hub.gzipBytes <= LARGEST_BYTES,
    },
    {
      aim: `start within the platform's ${LONGEST_START_MS / 1000} s of CPU`,
      found: ms(hub.startMs),
      met: hub.startMs <= LONGEST_START_MS,
    },
  ];
  const table = {
    title: "size: the uploaded code, and the CPU time of a start (wrangler check startup)",
    columns: ["", "minified", "gzip", "start"],
    rows: figures.map(({ name, bytes, gzipBytes, startMs }) => [name, kb(bytes), kb(gzipBytes), ms(startMs)]),
  };
  return { tables: [table], aims, figures };
}

function kb(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}
