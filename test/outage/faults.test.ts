import { expect, test } from "vitest";
import { runFaults } from "./faults/run.ts";

test("no message is lost, doubled or left over while every part of the stack breaks at random", {
  timeout: 600_000,
}, async () => {
  const seed = Number(process.env.FAULTS_SEED ?? Math.floor(Math.random() * 1e9));
  const lines: string[] = [];
  const { wrong, counts, broken } = await runFaults({
    seed,
    seconds: 40,
    customers: 25,
    pauseMs: 400,
    log: (line) => lines.push(line),
  });
  console.log(`seed ${seed}`, counts, broken);
  expect(wrong, lines.join("\n")).toEqual([]);
  expect(counts.acknowledged).toBeGreaterThan(100);
});
