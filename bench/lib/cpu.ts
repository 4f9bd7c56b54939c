import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Linux counts CPU time in hundredths of a second on all hardware. */
const TICK_MS = 10;

/** The CPU time of a process and its children, including those that have ended; `undefined` except on Linux. */
export function cpuMs(pid: number): number | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const children = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && statOf(name)?.parent === pid);
  const own = statOf(String(pid));
  if (!own) return undefined;
  return children.reduce((sum, child) => sum + (statOf(child)?.alone ?? 0), own.alone + own.ended);
}

/** Reads `/proc/<pid>/stat`: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function statOf(pid: string): { parent: number; alone: number; ended: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const ticks = (...places: number[]) => places.reduce((sum, place) => sum + fields[place]!, 0) * TICK_MS;
    return { parent: fields[1]!, alone: ticks(11, 12), ended: ticks(13, 14) };
  } catch {
    return undefined; // the process has ended
  }
}
