import { expect, test } from "vitest";
import { minute } from "../contracts/given.ts";
import { races } from "../database/races/database.ts";

const here = races();
const MESSAGES = 21_000;
const id = (i: number) => `00000000-0000-4000-8000-${i.toString(16).padStart(12, "0")}`;

test("pages have every match once, however many blocks of the index they are in", {
  timeout: 180_000,
}, async () => {
  const { search } = here.store().features!;
  await here.owner`
    insert into public.messages (message_id, session_id, seq, channel, direction, role, kind, text, created_at)
    select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, gen_random_uuid(), i, 'web', 'inbound', 'user', 'text',
      'every' || case when i % 50 = 0 then ' fiftieth' else '' end || case when i in (3, 9000, 20999) then ' seldom' else '' end
        || case when i < 1500 then ' oldest' else '' end || case when i < 1500 or i > 20850 then ' mixed' else '' end,
      now() - (${MESSAGES} - i) * interval '1 minute'
    from generate_series(1, ${MESSAGES}) as i`;
  while ((await search.index(5_000)).more);

  /** The ids of all matches, read page by page, at most `pages` pages. */
  async function all(q: string, pages = 100): Promise<string[]> {
    const found: string[] = [];
    let after: string | undefined;
    for (let page = 0; page < pages; page++) {
      const { results, after: next } = await search.messages({ q }, after, 50, minute(0));
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
  const newest = await all("ever", 10);
  expect(new Set(newest).size).toBe(500);
  // The first window is the newest blocks, so its hits are no older.
  expect(newest.every((one) => one > id(MESSAGES - 3 * 2_048))).toBe(true);
});
