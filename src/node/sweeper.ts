/** The longest pause before the first sweep, so that processes that start together do not sweep together. */
const FIRST_MS = 5_000;

/**
 * Runs `sweep` again and again, each time `pauseMs` after the one before has ended, so that no two runs of this process overlap. Other
 * processes may sweep at the same time: each piece of work is claimed by one. The returned function starts no further run, and
 * resolves when the running one has ended.
 */
export function startSweeper(sweep: () => Promise<void>, pauseMs: number): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let isStopped = false;

  function plan(ms: number): void {
    if (isStopped) return;
    timer = setTimeout(() => {
      running = run();
    }, ms);
  }
  async function run(): Promise<void> {
    try {
      await sweep();
    } finally {
      plan(pauseMs);
    }
  }

  plan(Math.random() * Math.min(FIRST_MS, pauseMs));
  return () => {
    isStopped = true;
    clearTimeout(timer);
    return running;
  };
}
