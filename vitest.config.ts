import { relative } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take longest begin first, so that none of them runs alone at the end. */
const LONGEST = [
  "test/outage/faults.test.ts",
  "test/contracts/stores.test.ts",
  "test/contracts/model.test.ts",
  "test/web/simulator.test.ts",
  "test/web/chat.test.ts",
  "test/web/kiosk.test.ts",
  "test/database/backup.test.ts",
  "test/e2e/demo.test.ts",
  "test/database/lock-order.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(relative(import.meta.dirname, moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global.ts",
    pool: "forks",
    // One more than the cores of a small machine: many tests wait for a timer, a process or a page.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: 0,
  },
});
