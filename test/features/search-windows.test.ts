import { expect, test } from "vitest";
import { races } from "../database/races/database.ts";

const here = races();
const MESSAGES = 21_000;
const LATE = "ffffffff-0000-7000-8000-000000000000";
const BASE = Date.now();
/** The i-th message is of that minute, and so is its id. */
const at = (i: number) => new Date(BASE + (i - MESSAGES) * 60_000);
const id = (i: number) =>
  `${at(i).getTime().toString(16).padStart(12, "0").replace(/^.{8}/, "$&-")}-7000-8000-000000000000`;

test("pages have every match once, however many blocks of the index they are in", {
  timeout: 180_000,
}, async () => {
  const { search } = here.store().features!;
  await here.owner`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select (left(h, 8) || '-' || right(h, 4) || '-7000-8000-000000000000')::uuid, gen_random_uuid(), i, 'web', 'inbound', 'user', 'text',
      'every' || case when i % 50 = 0 then ' fiftieth' else '' end || case when i in (3, 9000, 20999) then ' seldom' else '' end
        || case when i < 1500 then ' oldest' else '' end || case when i < 1500 or i > 20850 then ' mixed' else '' end,
      ${at(0)}::timestamptz + i * interval '1 minute'
    from generate_series(1, ${MESSAGES}) as i, lpad(to_hex(${at(0).getTime()}::bigint + i * 60000), 12, '0') as h`;
  while ((await search.index(5_000)).more);

  /** The ids of all matches, read page by page, at most `pages` pages. */
  async function all(q: string, pages = 100, within: { from?: Date; to?: Date } = {}): Promise<string[]> {
    const found: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < pages; page++) {
      const { results, after: next } = await search.messages({ q, ...within }, after, 50, new Date(BASE));
      found.push(...results.map(({ message_id }) => message_id));
      after = next;
      if (after === undefined) break;
    }
    return found;
  }
  const numbers = (from: number, to: number, step: number) =>
    Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => id(from + i * step));

  expect(await all("seldom")).toEqual([id(20_999), id(9_000), id(3)]);
  expect(await all("seldo")).toEqual([id(20_999), id(9_000), id(3)]);
  for (const q of ["fiftieth ", "fiftiet", "fiftieth every", '"every fiftieth"']) {
    const found = await all(q);
    expect(found.toSorted(), q).toEqual(numbers(50, MESSAGES, 50));
  }
  for (const q of ["oldest ", "olde", "every -fiftieth oldest or oldest"]) {
    const found = await all(q);
    expect(found.toSorted(), q).toEqual(numbers(1, 1_499, 1));
  }
  const mixed = await all("mixed ");
  expect(mixed.toSorted()).toEqual([...numbers(1, 1_499, 1), ...numbers(20_851, MESSAGES, 1)]);
  // Between two instants, of which either may be left out; the late one is 6,000 messages behind its place in the index.
  await here.owner`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    values (${LATE}, gen_random_uuid(), 22000, 'web', 'inbound', 'user', 'text', 'every fiftieth, late', ${at(12_025)})`;
  while ((await search.index(5_000)).more);
  for (const q of ["fiftieth ", "fiftiet", "every fiftieth"])
    for (const [from, to] of [
      [12_000, 15_000],
      [undefined, 12_100],
      [12_000, undefined],
      [20_900, 21_100],
      [1, 60],
    ] as const) {
      const found = await all(q, 100, { ...(from && { from: at(from) }), ...(to && { to: at(to) }) });
      const expected = numbers(
        Math.ceil((from ?? 1) / 50) * 50,
        Math.min((to ?? MESSAGES + 1) - 1, MESSAGES),
        50,
      );
      const late = (from ?? 0) <= 12_025 && 12_025 < (to ?? Infinity);
      expect(found.toSorted(), `${q} ${from} ${to}`).toEqual([...expected, ...(late ? [LATE] : [])]);
    }
  const newest = await all("ever", 10);
  expect(new Set(newest).size).toBe(500);
  // The first window is the newest blocks, so its hits are no older.
  expect(newest.every((one) => one > id(MESSAGES - 3 * 2_048))).toBe(true);
});
