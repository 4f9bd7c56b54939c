import { PGlite } from "@electric-sql/pglite";
import { pgcrypto } from "@electric-sql/pglite/contrib/pgcrypto";
import { vector } from "@electric-sql/pglite/vector";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { freePort } from "../../dev/services/ports.ts";
import { migrate } from "../../migrations/migrate.ts";
import { embedKnowledge } from "../../src/features/knowledge/embed.ts";
import { type PostgresCalls, postgresCalls } from "../../src/stores/postgres.ts";
import type { SqlCall } from "../../src/stores/sql.ts";
import { json, lastOf, type ModelServer, startModelServer } from "../support/model-server.ts";
import { type ModelShop, modelShop, settingsFor } from "../support/model-shop.ts";

// The server of the other tests has no pgvector. PGlite is Postgres with it, for one connection.
let database: PGlite;
let server: PGLiteSocketServer;
let direct: PostgresCalls;
let applied: string[];
let model: ModelServer;
let hub: ModelShop;

beforeAll(async () => {
  database = await PGlite.create({ extensions: { pgcrypto, vector } });
  const port = await freePort();
  server = new PGLiteSocketServer({ db: database, port, maxConnections: 2 });
  await server.start();
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  ({ applied } = await migrate(url));
  direct = postgresCalls(url, { max: 1, timeoutMs: 30_000 });
  model = await startModelServer();
}, 120_000);

afterAll(async () => {
  await direct.close();
  await model.stop();
  await server.stop();
  await database.close();
});

const shop = (more: Record<string, string> = {}) =>
  modelShop(direct.call, { ...settingsFor(model), LLM_EMBEDDINGS_MODEL: "meanings", ...more });

beforeEach(async () => {
  await database.exec("truncate knowledge, knowledge_chunks, model_days, model_usage");
  model.embed((texts) => texts.map(meaning));
  hub = shop();
});

/** A vector with one place for each thing that a text is about. */
function meaning(text: string): number[] {
  const about = [/return|send.*back|exchange/i, /open|hours|closed/i, /pay|card|cash/i].map((it) =>
    it.test(text) ? 1 : 0,
  );
  return [...about, 0.1];
}

const knowledge = () => hub.hub.store.features!.knowledge;
const put = (id: string, text: string, title = id) =>
  knowledge().put(id, { title, format: "markdown", text }, "test", new Date());
const found = async (query: string, by = "meanings", of = meaning) =>
  (await knowledge().search(query, 2, { model: by, vector: of(query) })).map(({ text }) => text);
const vectors = async () =>
  (
    await database.query<{ place: string; model: string | null; size: number | null }>(
      `select knowledge_id || place as place, embedding_model as model, cardinality(embedding) as size from knowledge_chunks order by 1`,
    )
  ).rows.map(({ place, model, size }) => `${place} ${model} ${size}`);

const REFUND = "Goods may be exchanged within 14 days.";
const HOURS = "Monday to Friday from 9 to 18.";
const MONEY = "We take Visa.";

test("documents are found by their meaning once the sweep has had their vectors made", async () => {
  expect(applied).toContain("optional/vector.sql");
  await put("a", REFUND);
  await put("b", `# Open\n\n${HOURS}\n\n# Card\n\n${MONEY}`);
  const question = "Send the tea back?";
  expect(await found(question)).toEqual([]);
  await hub.later();
  expect(model.embedded).toEqual([[`a\n${REFUND}`, `b\nOpen\n${HOURS}`, `b\nCard\n${MONEY}`]]);
  expect(await vectors()).toEqual(["a1 meanings 4", "b1 meanings 4", "b2 meanings 4"]);
  expect((await found(question))[0]).toBe(REFUND);
  // What is first in both orders comes before what is first in one.
  expect(await found("Monday: how do I pay, cash?")).toEqual([HOURS, MONEY]);
  expect(await found("visa to pay")).toEqual([MONEY, expect.anything()]);
  const { document } = await put("b", `# Open\n\n${HOURS}`);
  expect(document).toMatchObject({ chunks: 1, embedded: 1 });
  await hub.later();
  expect(model.embedded).toHaveLength(1);
});

test("vectors are of the text, the model and the length that they were made of", async () => {
  await put("a", `# One\n\n${REFUND}\n\n# Two\n\n${HOURS}`);
  const stale = await knowledge().unembedded("meanings", 9);
  await put("a", `# One\n\n${REFUND}\n\n# Two\n\nAlways.`);
  const kept = stale.map((part) => ({ ...part, vector: meaning(part.text) }));
  expect(await knowledge().embed("meanings", kept)).toBe(1);
  expect(await vectors()).toEqual(["a1 meanings 4", "a2 null null"]);
  await put("a", `# Two\n\nAlways.\n\n# One\n\n${REFUND}`);
  expect(await vectors()).toEqual(["a1 null null", "a2 meanings 4"]);
  expect(await found("send back", "other")).toEqual([]);
  expect(await found("send back", "meanings", () => [1, 2])).toEqual([]);
  hub = shop({ LLM_EMBEDDINGS_MODEL: "other" });
  model.embed((texts) => texts.map(() => [3, 1e-40]));
  await hub.later();
  expect(await vectors()).toEqual(["a1 other 2", "a2 other 2"]);
});

test("a part that the model refuses costs the others nothing, and is not sent again", async () => {
  for (let i = 0; i < 5; i++) await put(`a${i}`, i === 3 ? "too long" : REFUND);
  model.embed((texts) =>
    texts.some((text) => text.includes("too long"))
      ? (response) => json(response, { error: { message: "input is too long" } }, 400)
      : texts.map(meaning),
  );
  await hub.later();
  const all = [0, 1, 2, 3, 4].map((i) => `a${i}1 meanings ${i === 3 ? "null" : 4}`);
  expect(await vectors()).toEqual(all);
  expect(hub.events("knowledge.part_refused")).toMatchObject([
    { knowledge_id: "a3", reason: "llm_http_400" },
  ]);
  model.embedded.length = 0;
  await hub.later();
  expect(model.embedded).toEqual([]);
});

test("texts are asked again if the model refuses all of them, or their document is written again", async () => {
  const refuse = (response: any) => json(response, { error: { message: "budget exceeded" } }, 400);
  for (const id of ["a", "b", "c"]) await put(id, id === "b" ? "too long" : REFUND);
  model.embed(() => refuse);
  await hub.later();
  expect(await vectors()).toEqual(["a1 null null", "b1 null null", "c1 null null"]);
  expect(hub.events("knowledge.part_refused")).toEqual([]);
  expect(hub.events("knowledge.not_embedded")).toMatchObject([
    { code: "unavailable", reason: "llm_http_400" },
  ]);
  model.embed((texts) => (texts.some((text) => text.includes("too long")) ? refuse : texts.map(meaning)));
  await hub.later();
  expect(await vectors()).toEqual(["a1 meanings 4", "b1 meanings null", "c1 meanings 4"]);
  await put("b", "too long");
  expect(await vectors()).toEqual(["a1 meanings 4", "b1 null null", "c1 meanings 4"]);
});

test("the sweep comes to the embeddings model after all other work", async () => {
  const names: string[] = [];
  const noting: SqlCall = (name, argument) => {
    names.push(name);
    return direct.call(name, argument);
  };
  hub = modelShop(noting, { ...settingsFor(model), LLM_EMBEDDINGS_MODEL: "meanings" });
  await put("a", REFUND);
  names.length = 0;
  await hub.later();
  expect(names.slice(names.indexOf("hub_unembedded_knowledge"))).toEqual([
    "hub_unembedded_knowledge",
    "hub_embed_knowledge",
    "hub_unembedded_knowledge",
  ]);
});

test("no request begins after the time for embeddings, and the vectors that were made are kept", async () => {
  for (let i = 0; i < 4; i++) await put(`a${i}`, i === 3 ? "too long" : REFUND);
  model.embed((texts) => {
    hub.clock.now = new Date(hub.clock.now.getTime() + 4_000);
    return texts.some((text) => text.includes("too long"))
      ? (response) => json(response, {}, 400)
      : texts.map(meaning);
  });
  expect(await embedKnowledge(hub.hub, 10_000)).toBe(2);
  expect(model.embedded.map((texts) => texts.length)).toEqual([4, 2, 2]);
  expect(await vectors()).toEqual(["a01 meanings 4", "a11 meanings 4", "a21 null null", "a31 null null"]);
});

test("a request to an embeddings model that hangs ends with the time for embeddings", async () => {
  await put("a", REFUND);
  model.embed(() => () => {});
  expect(await embedKnowledge(hub.hub, 200)).toBe(0);
  expect(hub.events("knowledge.not_embedded")).toMatchObject([{ reason: "llm_timeout" }]);
}, 10_000);

test.each([
  ["is down", (response: any) => response.destroy()],
  ["asks to wait", (response: any) => json(response, {}, 429, { "retry-after": "60" })],
  ["answers nonsense", (response: any) => json(response, { data: [{ index: 0, embedding: ["x"] }] })],
  ["leaves some out", (response: any) => json(response, { data: [{ index: 1, embedding: [1] }] })],
  ["makes zeros", (response: any) => json(response, { data: [{ index: 0, embedding: [0, 0] }] })],
])("while the embeddings model %s, documents are found by their words", async (_, respond) => {
  await put("hours", HOURS);
  model.embed(() => respond);
  await hub.later();
  expect(await vectors()).toEqual(["hours1 null null"]);
  expect(hub.events("knowledge.not_embedded")).toHaveLength(1);
  model.think((asked) =>
    lastOf(asked, "tool")
      ? `It says: ${JSON.parse(lastOf(asked, "tool")).results[0].text}`
      : { calls: [["search_knowledge", { query: "Monday" }]] },
  );
  const [answer] = await (await hub.visitor()).say("When are you open?");
  expect(answer).toBe(`It says: ${HOURS}`);
  model.embed((texts) => texts.map(meaning));
  await hub.later();
  expect(await vectors()).toEqual(["hours1 meanings 4"]);
});

test("the language model finds by meaning, and the tokens of its questions are counted", async () => {
  await put("returns", REFUND);
  await hub.later();
  model.think((asked) =>
    lastOf(asked, "tool")
      ? `${JSON.parse(lastOf(asked, "tool")).results[0].text} [1]`
      : { calls: [["search_knowledge", { query: "send it back" }]] },
  );
  const [answer] = await (await hub.visitor()).say("Can I send it back?");
  expect(answer).toContain(REFUND);
  const { rows } = await database.query("select input_tokens, held_cost from model_days");
  expect(rows).toMatchObject([{ input_tokens: 2 * 100 + 7 }]);
});
