import { expect, test } from "vitest";
import { progress } from "../../backup/progress.ts";

/** What is written to a terminal, or to a file, in pieces. */
function written(isTTY: boolean) {
  const pieces: string[] = [];
  const stream = { isTTY, write: (piece: string) => pieces.push(piece) } as never;
  return { pieces, stream };
}

test("a long run shows a bar on a terminal, on one line", () => {
  const { pieces, stream } = written(true);
  const shown = progress("backup", 3_000, stream);
  shown.add(1_500);
  shown.add(1_500);
  shown.end();
  const bars = pieces.map((piece) => piece.replace("\r\x1b[K", "").replace(/, \d+ s left$/, ""));
  expect(bars).toEqual([
    `backup [${"-".repeat(30)}] 0 % 0 of 3,000`,
    `backup [${"#".repeat(15)}${"-".repeat(15)}] 50 % 1,500 of 3,000`,
    `backup [${"#".repeat(30)}] 100 % 3,000 of 3,000`,
    "\n",
  ]);
  expect(pieces.slice(0, 3).every((piece) => piece.startsWith("\r\x1b[K"))).toBe(true);
});

test("a long run writes a line at each tenth elsewhere, and ends also with nothing to do", () => {
  const { pieces, stream } = written(false);
  const shown = progress("restore", 1_000, stream);
  for (let i = 0; i < 1_000; i++) shown.add(1);
  shown.end();
  expect(pieces).toHaveLength(11);
  expect(pieces.at(-1)).toBe("restore 100 %: 1,000 of 1,000\n");
  const nothing = written(false);
  progress("check", 0, nothing.stream).end();
  expect(nothing.pieces).toEqual(["check 100 %: 0 of 0\n"]);
});
