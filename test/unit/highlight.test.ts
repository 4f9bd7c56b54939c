import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { snippetOf } from "../../src/features/search/highlight.ts";

const snippet = (text: string, ...terms: string[]) =>
  snippetOf(
    text,
    terms.map((term) => ({ text: term.replace("*", ""), prefix: term.endsWith("*") })),
  );
/** The text of a snippet as a browser shows it. */
const shown = (html: string) =>
  html
    .replaceAll(/<\/?mark>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

describe("a snippet", () => {
  test.for([
    ["Zwei Karten für das CAFÉ", ["kar*", "cafe"], "Zwei <mark>Kar</mark>ten für das <mark>CAFÉ</mark>"],
    ["scat cat cats", ["cat"], "scat <mark>cat</mark> cats"],
    ["one two, one", ["one two"], "<mark>one</mark> <mark>two</mark>, <mark>one</mark>"],
    ["e\u0301te\u0301 here", ["ete"], "<mark>e\u0301te\u0301</mark> here"],
    ["कृपया नमस्ते दुनिया", ["नमस्ते"], "कृपया <mark>नमस्ते</mark> दुनिया"],
    ["مَرْحَبًا بِالعالَم", ["مرحبا"], "<mark>مَرْحَبًا</mark> بِالعالَم"],
    ["東京タワーに行きたい", ["タワー"], "東京<mark>タワー</mark>に行きたい"],
    ["iPhone15を予約", ["iphone15", "予約"], "<mark>iPhone15</mark>を<mark>予約</mark>"],
    ["สวัสดีครับ", ["ครับ"], "สวัสดี<mark>ครับ</mark>"],
    ["Straße und ΣΟΦΟΣ", ["strasse", "σοφοσ"], "<mark>Straße</mark> und <mark>ΣΟΦΟΣ</mark>"],
    ["nothing", ["else"], "nothing"],
    ["", ["x"], ""],
  ] as const)("of %s marks what was found", ([text, terms, html]) => {
    expect(snippet(text, ...terms)).toBe(html);
  });

  test("is safe HTML for any message and query", () => {
    const text = `<script>alert("x")</script> & <b onclick='y'>bold</b> <mark>`;
    expect(snippet(text, "script", "bold", "mark", "b", "lt", "amp")).toBe(
      "&lt;<mark>script</mark>&gt;alert(&quot;x&quot;)&lt;/<mark>script</mark>&gt; &amp; " +
        "&lt;<mark>b</mark> onclick=&#39;y&#39;&gt;<mark>bold</mark>&lt;/<mark>b</mark>&gt; &lt;<mark>mark</mark>&gt;",
    );
    expect(snippet("a\u0000b\u202Ec\u001B[2Jd\u0085", "d")).toBe(
      "a b c [2J<mark>d</mark> ".replace("J<mark>d</mark>", "Jd"),
    );
  });

  test("shows the text around the first match", () => {
    const html = snippet(`${"before ".repeat(100)}needle ${"after ".repeat(100)}`, "needle");
    expect(html).toMatch(/^…(before )+<mark>needle<\/mark> (after )+a?f?t?e?r?…$/);
    expect(shown(html).length).toBeLessThanOrEqual(242);
    expect(snippet(`${"x".repeat(500)}`, "y")).toBe(`${"x".repeat(240)}…`);
  });

  test("has no tag but mark, well nested, and keeps the message's text", () => {
    const unit = fc.constantFrom(
      "<",
      ">",
      "&",
      '"',
      "'",
      "a",
      "A",
      "ä",
      "a\u0308",
      " ",
      "京",
      "ต",
      "😀",
      "mark",
      "\u0301",
    );
    const words = fc.array(unit, { maxLength: 60 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        words,
        fc.array(fc.constantFrom("a*", "a", "京", "mark", "amp", "ต"), { maxLength: 3 }),
        (text, terms) => {
          const html = snippet(text, ...terms);
          expect(shown(html)).toBe(text);
          expect(html.replaceAll(/<mark>[^<>]+<\/mark>/g, "")).not.toMatch(
            /[<>"']|&(?!(amp|lt|gt|quot|#39);)/,
          );
        },
      ),
    );
  });

  test("of a long message and many terms takes under two seconds", () => {
    const began = performance.now();
    const terms = Array.from({ length: 128 }, (_, i) => `${"a".repeat(i + 1)}*`);
    snippet("a".repeat(10_000), ...terms);
    snippet("aé".repeat(5_000), ...terms);
    snippet("東".repeat(10_000), "東".repeat(200));
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
