import fc from "fast-check";
import { expect, test } from "vitest";
import { type Json, type JsonObject, mergePatch } from "../../src/core/json.ts";
import { races } from "./races/database.ts";

const here = races();

/** Few keys, so that objects meet; nulls in objects and in arrays, and braces and brackets in texts. */
const { json } = fc.letrec<{ json: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, 1, "a", "null", "{", "["),
    fc.array(tie("json"), { maxLength: 3 }),
    tie("object"),
  ),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "null", "{["), tie("json"), { maxKeys: 4 }),
}));
const object = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), json, { maxKeys: 4 });

test("a merge patch is the same in SQL and in TypeScript", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(object, fc.array(object, { minLength: 1, maxLength: 5 }), async (first, patches) => {
      // A stored document holds no null outside of arrays, as it was itself a patch.
      let target = mergePatch({}, first);
      for (const patch of patches) {
        const [row] = await here.owner<[{ merged: JsonObject }]>`
          select hub.merge_patch(${here.owner.json(target)}, ${here.owner.json(patch)}) as merged`;
        target = mergePatch(target, patch);
        expect(row.merged).toEqual(target);
      }
    }),
    { numRuns: 500 },
  );
});
