import fc from "fast-check";
import sqlDriver from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/core/json.ts";
import { type MergeConflict, mergeDocuments } from "../../src/core/sessions/merge-documents.ts";
import { createDatabase } from "../support/stack.ts";

type Documents = { data: JsonObject; metadata: JsonObject };
const older = (documents: Documents) => ({ session_id: "older", ...documents });
const newer = (documents: Documents) => ({ session_id: "newer", ...documents });
const merged = (a: Documents, b: Documents) => mergeDocuments(older(a), newer(b));
const ofData = (a: JsonObject, b: JsonObject) => merged({ data: a, metadata: {} }, { data: b, metadata: {} });

/** Small documents with few keys and values, so that conflicts are frequent: carts and other data. */
const scalar = fc.constantFrom<Json>(null, true, false, 0, 1, 2.5, "", "x", "Ü 👋");
const { value, object } = fc.letrec<{ value: Json; object: JsonObject; item: Json }>((tie) => ({
  object: fc.dictionary(fc.constantFrom("cart", "a", "b", "id", "sku", "qty", ""), tie("value"), {
    maxKeys: 4,
    depthIdentifier: "document",
  }),
  item: fc.oneof(
    { weight: 2, arbitrary: scalar },
    fc.record(
      { id: fc.constantFrom<Json>(1, "1", null), sku: fc.constantFrom<Json>("A", "B"), qty: scalar },
      { requiredKeys: [] },
    ),
    { weight: 1, arbitrary: tie("value") },
  ),
  value: fc.oneof(
    { depthIdentifier: "document", depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("item"), { maxLength: 3, depthIdentifier: "document" }),
    tie("object"),
  ),
}));
const conflict = fc.record({ path: fc.constant("data.before"), value, session_id: fc.constant("earlier") });
const documents: fc.Arbitrary<Documents> = fc.record({
  data: object,
  metadata: fc
    .tuple(object, fc.option(fc.oneof(fc.array(conflict, { maxLength: 2 }), scalar), { nil: undefined }))
    .map(([rest, merge_conflicts]) => (merge_conflicts === undefined ? rest : { ...rest, merge_conflicts })),
});

/** Every filled scalar in a value, at any depth. */
function scalarsOf(value: Json): Json[] {
  if (value === null || value === "") return [];
  return typeof value === "object" ? Object.values(value).flatMap(scalarsOf) : [value];
}

describe("two documents that become one", () => {
  test("hold every filled scalar of both, or list it as a conflict", () => {
    fc.assert(
      fc.property(documents, documents, (a, b) => {
        const kept = scalarsOf(merged(a, b) as unknown as Json);
        for (const one of scalarsOf([a, b] as unknown as Json)) expect(kept).toContainEqual(one);
      }),
      { numRuns: 2_000 },
    );
  });

  test("lose no item of an array, even a repeated one", () => {
    const items = fc.array(scalar, { maxLength: 5 });
    fc.assert(
      fc.property(items, items, (a, b) => {
        const { list } = ofData({ list: a }, { list: b }).data as { list: Json[] };
        const count = (among: readonly Json[], item: Json) =>
          among.filter((one) => Object.is(one, item)).length;
        for (const item of [...a, ...b])
          expect(count(list, item)).toBe(Math.max(count(a, item), count(b, item)));
      }),
    );
  });

  test("are unchanged when both are the same or one is empty", () => {
    fc.assert(
      fc.property(object, (data) => {
        for (const [a, b] of [
          [data, data],
          [data, {}],
          [{}, data],
        ] as const)
          expect(ofData(a, b)).toEqual({ data, metadata: {} });
      }),
    );
  });

  const examples: [string, JsonObject, JsonObject, JsonObject, Omit<MergeConflict, "session_id">[]][] = [
    ["two carts unite", { cart: ["bread"] }, { cart: ["tea"] }, { cart: ["bread", "tea"] }, []],
    ["an empty cart erases no full one", { cart: ["bread"] }, { cart: [] }, { cart: ["bread"] }, []],
    [
      "items of one sku become one",
      { cart: [{ sku: "A", qty: 1, note: "wrap it" }] },
      {
        cart: [
          { sku: "B", qty: 1 },
          { sku: "A", qty: 3 },
        ],
      },
      {
        cart: [
          { sku: "A", qty: 3, note: "wrap it" },
          { sku: "B", qty: 1 },
        ],
      },
      [{ path: "data.cart[sku=A].qty", value: 1 }],
    ],
    [
      "an id goes before a sku",
      { c: [{ id: 1, sku: "A" }] },
      { c: [{ id: 1, sku: "B" }] },
      { c: [{ id: 1, sku: "B" }] },
      [{ path: "data.c[id=1].sku", value: "A" }],
    ],
    [
      "objects merge as deep as they go",
      { a: { b: { c: 1 } } },
      { a: { b: { d: 2 } } },
      { a: { b: { c: 1, d: 2 } } },
      [],
    ],
    [
      "a filled value stays over null",
      { name: "Anna", note: null },
      { name: null, note: "hi" },
      { name: "Anna", note: "hi" },
      [],
    ],
    [
      "the newer of two stays, and the other is told",
      { name: "Anna" },
      { name: "Ann" },
      { name: "Ann" },
      [{ path: "data.name", value: "Anna" }],
    ],
    [
      "zero and false are filled",
      { left: 0, ok: false },
      { left: 2, ok: null },
      { left: 2, ok: false },
      [{ path: "data.left", value: 0 }],
    ],
    [
      "what differs in kind is a conflict as a whole",
      { cart: { bread: 1 } },
      { cart: ["tea"] },
      { cart: ["tea"] },
      [{ path: "data.cart", value: { bread: 1 } }],
    ],
  ];
  test.for(examples)("%s", ([, a, b, data, conflicts]) => {
    const told = conflicts.map((one) => ({ ...one, session_id: "older" }));
    expect(ofData(a, b)).toEqual({ data, metadata: told.length > 0 ? { merge_conflicts: told } : {} });
  });

  test("keep the conflicts of both, the older's first", () => {
    const note = (value: string): MergeConflict => ({ path: "data.x", value, session_id: "earlier" });
    const { metadata } = merged(
      { data: { n: 1 }, metadata: { merge_conflicts: [note("1")] } },
      { data: { n: 2 }, metadata: { merge_conflicts: [note("2")] } },
    );
    const last = { path: "data.n", value: 1, session_id: "older" };
    expect(metadata.merge_conflicts).toEqual([note("1"), note("2"), last]);
  });
});

describe("the database's rule", () => {
  let sql: sqlDriver.Sql;
  beforeAll(async () => {
    sql = sqlDriver((await createDatabase()).url, { max: 1, onnotice: () => {} });
  });
  afterAll(() => sql.end());

  test("is the same for any two documents", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(documents, documents), { minLength: 20, maxLength: 40 }),
        async (pairs) => {
          const rows = await sql`
          select hub.merge_documents(p -> 0, p -> 1) as merged
          from jsonb_array_elements(${sql.json(pairs.map(([a, b]) => [older(a), newer(b)]) as never)}) with ordinality as u (p, n)
          order by n`;
          expect(rows.map((row) => row.merged)).toEqual(pairs.map(([a, b]) => merged(a, b)));
        },
      ),
      { numRuns: 30 },
    );
  });
});
