import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { chunksOf } from "../../src/features/knowledge/chunks.ts";
import { sqlStore } from "../../src/stores/sql.ts";
import { settings } from "../contracts/given.ts";
import { lastOf, type ModelServer, startModelServer } from "../support/model-server.ts";
import { type ModelShop, modelShop, settingsFor } from "../support/model-shop.ts";
import { bothTransports } from "../support/transports.ts";

const { transports, empty, owner } = bothTransports({ max: 6 });
const [[, call]] = transports as [(typeof transports)[number]];
beforeEach(empty);

const admin = { "x-api-key": "admin-key" };
const HOURS = "# Opening hours\n\nMonday to Friday from 9 to 18.\n\n## Holidays\n\nClosed on New Year's Day.";

let model: ModelServer;
let hub: ModelShop;
beforeAll(async () => {
  model = await startModelServer();
});
afterAll(() => model.stop());
beforeEach(() => {
  hub = modelShop(call(), settingsFor(model));
});

async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = admin) {
  const answer = await hub.request(path, {
    method,
    headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as any };
}
const put = (id: string, document: object) => ask("PUT", `/api/knowledge/${id}`, document);
const found = async (query: string) =>
  (await hub.hub.store.features!.knowledge.search(query, 4)).map(({ knowledge_id, heading }) =>
    heading ? `${knowledge_id}: ${heading}` : knowledge_id,
  );

describe("documents", () => {
  test("are written, read, replaced, listed and deleted", async () => {
    const made = await put("hours", {
      title: "Opening hours",
      url: "https://shop.example/hours",
      text: HOURS,
    });
    expect(made).toMatchObject({
      status: 201,
      body: { document: { knowledge_id: "hours", format: "markdown", chunks: 2, version: 1, text: HOURS } },
    });
    expect(
      await put("hours", { title: "Opening hours", url: "https://shop.example/hours", text: HOURS }),
    ).toMatchObject({
      status: 200,
      body: { document: { version: 1 } },
    });
    expect(await put("hours", { title: "Hours", format: "text", text: "Always open" })).toMatchObject({
      status: 200,
      body: { document: { version: 2, url: null, chunks: 1 } },
    });
    expect((await ask("GET", "/api/knowledge/hours")).body.document.text).toBe("Always open");
    expect(await found("holidays")).toEqual([]);
    for (const id of ["a", "b", "c"]) await put(id, { title: id, text: id });
    const first = await ask("GET", "/api/knowledge?limit=2");
    expect(first.body.documents.map((one: any) => one.knowledge_id)).toEqual(["a", "b"]);
    expect(first.body.documents[0]).not.toHaveProperty("text");
    const rest = await ask("GET", `/api/knowledge?limit=2&after=${first.body.cursor}`);
    expect([rest.body.documents.map((one: any) => one.knowledge_id), rest.body.cursor]).toEqual([
      ["c", "hours"],
      null,
    ]);
    expect((await ask("DELETE", "/api/knowledge/hours")).body).toEqual({ deleted: true });
    expect((await ask("DELETE", "/api/knowledge/hours")).body).toEqual({ deleted: false });
    expect((await ask("GET", "/api/knowledge/hours")).status).toBe(404);
    expect(await found("open")).toEqual([]);
    expect(
      (await owner()`select count(*)::int from knowledge_chunks where knowledge_id = 'hours'`)[0]!.count,
    ).toBe(0);
  });

  test("are refused to everybody but admins, and if they are wrong", async () => {
    const good = { title: "t", text: "x" };
    for (const headers of [{}, { "x-api-key": "web-key" }, { authorization: "Bearer hst_none" }] as Record<
      string,
      string
    >[])
      for (const [method, path, body] of [
        ["PUT", "/api/knowledge/a", good],
        ["GET", "/api/knowledge/a"],
        ["DELETE", "/api/knowledge/a"],
        ["GET", "/api/knowledge"],
      ] as const)
        expect([401, 403]).toContain((await ask(method, path, body, headers)).status);
    for (const body of [
      { text: "x" },
      { title: "t" },
      { title: "t", text: " \n" },
      { title: "t", text: "x", format: "html" },
      { title: "t", text: "x", url: "javascript:alert(1)" },
      { title: "t", text: "x", other: 1 },
      { title: "t".repeat(201), text: "x" },
    ])
      expect((await put("a", body)).status).toBe(400);
    expect((await put("..%2f", good)).status).toBe(400);
    expect((await put("a", { title: "t", text: "ü".repeat(140_000) })).status).toBe(413);
    expect((await ask("GET", "/api/knowledge")).body.documents).toEqual([]);
  });

  test("written by many at once are whole, and one of them", async () => {
    const texts = Array.from({ length: 12 }, (_, i) => `# Part\n\n${`word${i} `.repeat(400)}`);
    await Promise.all(texts.map((text) => put("one", { title: "t", text })));
    const { text, chunks } = (await ask("GET", "/api/knowledge/one")).body.document;
    const rows = await owner()`select text from knowledge_chunks where knowledge_id = 'one' order by place`;
    expect(rows).toHaveLength(chunks);
    const words = new Set(rows.flatMap((row) => row.text.split(/\s+/)));
    expect([...words]).toEqual([/word\d+/.exec(text)![0]]);
  });

  test("are found by their words, and no vectors are asked for, in a database that does not compare vectors", async () => {
    hub = modelShop(call(), { ...settingsFor(model), LLM_EMBEDDINGS_MODEL: "meanings" });
    await put("hours", { title: "Opening hours", text: HOURS });
    await hub.later();
    expect(model.embedded).toEqual([]);
    const hits = await hub.hub.store.features!.knowledge.search("friday", 4, {
      model: "meanings",
      vector: [1, 2],
    });
    expect(hits).toMatchObject([{ knowledge_id: "hours" }]);
  });

  test("need a database", async () => {
    const { testHub } = await import("../support/http.ts");
    const plain = testHub();
    expect((await plain.request("/api/knowledge", { headers: admin })).status).toBe(501);
  });
});

describe.each(transports)("the search, in %s", (_, transport) => {
  const put = (id: string, title: string, text: string) =>
    sqlStore(transport(), settings).features!.knowledge.put(
      id,
      { title, format: "markdown", text },
      "test",
      new Date(),
    );
  const found = async (query: string) =>
    (await sqlStore(transport(), settings).features!.knowledge.search(query, 4)).map(
      ({ knowledge_id }) => knowledge_id,
    );

  test("finds by questions in ordinary words, the part that fits best first", async () => {
    await put("hours", "Opening hours", HOURS);
    await put(
      "returns",
      "Returns",
      "# Returns\n\nYou may return tea within 14 days. The tea must be closed.",
    );
    await put("delivery", "Delivery", "# Delivery\n\nWe deliver to Germany and Austria in the evening.");
    for (let i = 0; i < 20; i++)
      await put(
        `tea-${i}`,
        `Tea ${i}`,
        `The tea of the garden ${i} is a tea for the morning, and the water is hot.`,
      );
    expect((await found("When are you open on Friday?"))[0]).toBe("hours");
    expect((await found("can I return the tea"))[0]).toBe("returns");
    expect((await found("Do you deliver to Austria?"))[0]).toBe("delivery");
    // Endings may differ.
    expect((await found("delivering"))[0]).toBe("delivery");
    expect((await found("garden 7"))[0]).toBe("tea-7");
    expect(await found("zebra")).toEqual([]);
    expect(await found("")).toEqual([]);
    expect(await found("?!")).toEqual([]);
  });

  test("finds without accents and case, and in scripts without spaces", async () => {
    await put("café", "Café", "Le café est ouvert à l'été.");
    await put("hi", "समय", "दुकान सुबह नौ बजे खुलती है।");
    await put("ja", "営業時間", "営業時間は午前九時から午後六時までです。");
    await put("th", "เวลา", "ร้านเปิดเก้าโมงเช้า");
    await put("ar", "ساعات", "المتجر مفتوح من التاسعة صباحًا.");
    expect(await found("CAFE ouvert")).toEqual(["café"]);
    expect(await found("दुकान कब खुलती है")).toEqual(["hi"]);
    expect(await found("営業時間は？")).toEqual(["ja"]);
    expect(await found("ร้านเปิดกี่โมง")).toEqual(["th"]);
    expect(await found("متى يفتح المتجر")).toEqual(["ar"]);
  });

  test("reads any text as words, never as a query", async () => {
    await put("one", "One", "A plain text about 'quotes' & pipes | here.");
    for (const query of [
      "'",
      "a & | ! :*",
      "'quotes':*",
      "\\",
      "<->",
      "here); drop table knowledge; --",
      "\u0000 here",
    ])
      expect(Array.isArray(await found(query.replace("\u0000", "")))).toBe(true);
    expect(await found("'quotes'")).toEqual(["one"]);
    expect(await found("x ".repeat(5_000))).toEqual([]);
  });
});

describe("the language model", () => {
  test("answers from documents, and names those that it refers to", async () => {
    await put("hours", { title: "Opening hours", url: "https://shop.example/hours", text: HOURS });
    await put("friday", { title: "Friday music", text: "On Friday there is music." });
    model.think((asked, n) => {
      if (n === 0) return { calls: [["search_knowledge", { query: "open on Friday" }]] };
      const { results } = JSON.parse(lastOf(asked, "tool"));
      const { document } = results.find((one: any) => one.title === "Opening hours");
      return `Until six [${document}]. See also [9].`;
    });
    const anna = await hub.visitor();
    await anna.choose("pt");
    const [said] = await anna.say("Vocês abrem na sexta?");
    expect(said).toMatch(
      /^Until six \[\d\]\. See also\.\n\nFontes: \[\d\] Opening hours \(https:\/\/shop\.example\/hours\)$/,
    );
  });

  test("names no source that it does not refer to, and leaves brackets alone without a search", async () => {
    await put("hours", { title: "Opening hours", text: HOURS });
    model.think((_, n) =>
      n === 0 ? { calls: [["search_knowledge", { query: "open" }]] } : "I do not know.",
    );
    const anna = await hub.visitor();
    expect(await anna.say("What is the meaning of life?")).toEqual(["I do not know."]);
    model.think(() => "Take item [1].");
    expect(await anna.say("Which?")).toEqual(["Take item [1]."]);
  });
});

describe("a document's parts", () => {
  test("are cut at headings, with the headings above them, and not inside code", () => {
    const text = "intro\n\n# A\n\none\n\n## B\n\n```\n# no heading\n```\n\n# C\n\n## D ##\n\ntwo";
    expect(chunksOf(text, "markdown")).toEqual([
      { heading: "", text: "intro" },
      { heading: "A", text: "one" },
      { heading: "A > B", text: "```\n# no heading\n```" },
      { heading: "C > D", text: "two" },
    ]);
    expect(chunksOf("# A\n\none", "text")).toEqual([{ heading: "", text: "# A\n\none" }]);
    expect(chunksOf("# Only a heading", "markdown")).toEqual([{ heading: "Only a heading", text: "" }]);
  });

  test("are short, and no word is lost", () => {
    const words = fc.array(
      fc.constantFrom("tea", "water", "。", "hot!", "日本語", "\n\n", "# T\n", "x".repeat(3_000), "🙂"),
      {
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(words, fc.constantFrom("text" as const, "markdown" as const), (list, format) => {
        const text = list.join(" ");
        const parts = chunksOf(text, format);
        for (const part of parts) expect(part.text.length).toBeLessThan(2_500);
        if (format === "text") {
          const plain = (value: string) => value.replace(/\s+/g, "");
          expect(plain(parts.map((part) => part.text).join(""))).toBe(plain(text));
        }
        expect(parts.every((part) => part.text.isWellFormed())).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
