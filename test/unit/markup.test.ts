import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { format } from "../../dev/emulators/telegram-markup.ts";
import { formatted } from "../../src/channels/telegram/send/formatted.ts";
import { marked } from "../../src/channels/whatsapp/send/formatted.ts";
import { plainMarkup, readMarkup } from "../../src/core/content/markup.ts";
import { splitSpans, textOfSpans } from "../../src/core/content/spans.ts";
import { shownOn } from "../support/whatsapp-marks.ts";

/** A text as a bot has to write it to be shown unchanged, per docs/content.md. */
const escaped = (text: string) => text.replaceAll(/[\\*_~`[\]()\-.]/g, String.raw`\$&`);

/** Texts full of marks, as an attacker or an odd name has them. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "*",
        "**",
        "_",
        "~",
        "~~",
        "`",
        "```",
        "[",
        "](",
        ")",
        "\\",
        "<",
        ">",
        "&",
        "</b>",
        "\u{200b}",
      ),
      fc.constantFrom("a", "B", "9", " ", ".", "é", "😀", "https://x.example/a_b*c", "- "),
      fc.string({ maxLength: 3, unit: "grapheme" }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((pieces) =>
    pieces
      .join("")
      .replaceAll(/[\r\n\u2028\u2029\u0085\v\f]/g, " ")
      .trim(),
  )
  .filter((text) => text !== "" && text.isWellFormed());

describe("the neutral marks", () => {
  test.for<[string, object[]]>([
    ["**a** b", [{ text: "a", bold: true }, { text: " b" }]],
    ["_a_", [{ text: "a", italic: true }]],
    ["~~a~~", [{ text: "a", strike: true }]],
    ["`a*b*`", [{ text: "a*b*", code: true }]],
    ["```\na **b**\n```", [{ text: "a **b**", pre: true }]],
    ["[a](https://x.example/y)", [{ text: "a", url: "https://x.example/y" }]],
    [
      "**a _b_**",
      [
        { text: "a ", bold: true },
        { text: "b", bold: true, italic: true },
      ],
    ],
    ["- a\n* b", [{ text: "• a\n• b" }]],
    ["1. a", [{ text: "1. a" }]],
    ["snake_case_name 2**3**4", [{ text: "snake_case_name 2**3**4" }]],
    ["**open", [{ text: "**open" }]],
    ["[a](javascript:alert)", [{ text: "[a](javascript:alert)" }]],
    [String.raw`\*\*a\*\*`, [{ text: "**a**" }]],
  ])("%s", ([source, spans]) => {
    expect(readMarkup(source)).toEqual(spans);
  });

  test("every text has a reading that adds nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (source) => {
        const text = textOfSpans(readMarkup(source));
        expect(text.length).toBeLessThanOrEqual(source.length);
        expect(plainMarkup(escaped(source.replaceAll(/\s/g, "")))).toBe(source.replaceAll(/\s/g, ""));
      }),
    );
  });

  test("formats go on over a cut, and pieces are within the limit", () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1 }), fc.integer({ min: 2, max: 40 }), (words, limit) => {
        const spans = words.map((text, i) => ({ text: `${text} `, ...(i % 2 && { bold: true as const }) }));
        const pieces = splitSpans(spans, limit);
        for (const piece of pieces) expect(textOfSpans(piece).length).toBeLessThanOrEqual(limit);
        const bare = (text: string) => text.replaceAll(/\s/g, "");
        expect(bare(pieces.map(textOfSpans).join(""))).toBe(bare(textOfSpans(spans)));
      }),
    );
  });
});

describe("no text breaks out of its format", () => {
  test("on Telegram", () => {
    fc.assert(
      fc.property(hostile, hostile, (inside, outside) => {
        const spans = readMarkup(`**${escaped(inside)}** ${escaped(outside)}`);
        const { text, entities } = formatted(spans);
        const read = format(text, undefined, entities);
        expect(read.text).toBe(`${inside} ${outside}`);
        expect(read.entities).toEqual([{ type: "bold", offset: 0, length: inside.length }]);
      }),
    );
  });

  test("on WhatsApp", () => {
    fc.assert(
      fc.property(hostile, hostile, (inside, outside) => {
        const bare = (text: string) => text.replaceAll("\u{200b}", "");
        fc.pre(bare(inside).trim() !== "" && bare(outside).trim() !== "");
        const shown = shownOn(marked(readMarkup(`**${escaped(inside)}** ${escaped(outside)}`)));
        const without = (text: string) => decoded(bare(text)).replaceAll(/\s/g, "");
        expect(without(shown.map((run) => run.text).join(""))).toBe(without(inside + outside));
        // A mark at the edge of the text inside loses the bold; the text outside never gets any format.
        const formats = shown.findLastIndex((run) => run.marks !== "");
        const within = without(
          shown
            .slice(0, formats + 1)
            .map((run) => run.text)
            .join(""),
        );
        expect(within.length).toBeLessThanOrEqual(without(inside).length);
        for (const { marks } of shown) expect(["", "*"]).toContain(marks);
      }),
      { numRuns: 1_000 },
    );
  });

  test("and on WhatsApp every format of the neutral marks is shown", () => {
    const source = "**bold** _thin_ ~~gone~~ `code` **_both_** [shop](https://x.example/a_b)";
    expect(shownOn(marked(readMarkup(source)))).toEqual([
      { text: "bold", marks: "*" },
      { text: " ", marks: "" },
      { text: "thin", marks: "_" },
      { text: " ", marks: "" },
      { text: "gone", marks: "~" },
      { text: " ", marks: "" },
      { text: "code", marks: "`" },
      { text: " ", marks: "" },
      { text: "both", marks: "*_" },
      { text: " shop (https://x.example/a_b)", marks: "" },
    ]);
  });
});

/** The text with the marks that addresses have encoded. */
function decoded(text: string): string {
  return text.replaceAll(/%(2A|5F|7E|60)/g, (found) => decodeURIComponent(found));
}
