import type { KnowledgeChunk, KnowledgeFormat } from "./knowledge.ts";

/** The size of a part, in characters: a few paragraphs. A part is longer only by the last of its sentences. */
const CHUNK = 1_200;
/** The longest sentence; a longer one is cut. */
const LONGEST_SENTENCE = 1_200;
const LONGEST_HEADING = 300;

/**
 * Cuts a document into parts for the search: at Markdown's headings, and where a part gets too long, between paragraphs, then between
 * sentences. A code block of Markdown has no headings.
 */
export function chunksOf(text: string, format: KnowledgeFormat): KnowledgeChunk[] {
  const sections = format === "markdown" ? sectionsOf(text) : [{ heading: "", text }];
  return sections.flatMap(({ heading, text: body }) =>
    packed(body).map((part): KnowledgeChunk => ({ heading, text: part })),
  );
}

function sectionsOf(text: string): KnowledgeChunk[] {
  const path: string[] = [];
  const sections: { heading: string; lines: string[] }[] = [{ heading: "", lines: [] }];
  let inCode = false;
  for (const line of text.split(/\r?\n/)) {
    if (/^\s{0,3}(```|~~~)/.test(line)) inCode = !inCode;
    const heading = inCode ? null : /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line);
    if (!heading) {
      sections.at(-1)!.lines.push(line);
      continue;
    }
    const level = heading[1]!.length;
    path.length = Math.min(path.length, level - 1);
    path[level - 1] = heading[2]!;
    sections.push({ heading: path.filter(Boolean).join(" > ").slice(0, LONGEST_HEADING), lines: [] });
  }
  const filled = sections.map(({ heading, lines }) => ({ heading, text: lines.join("\n").trim() }));
  // A heading without a text of its own is in the headings of those below it, unless there are none.
  return filled.filter(({ text: body, heading }, i) => {
    const next = filled[i + 1]?.heading ?? "";
    return body !== "" || (heading !== "" && !next.startsWith(`${heading} > `));
  });
}

/** The paragraphs of a text, put together to parts. An empty text is one empty part: its headings are found. */
function packed(text: string): string[] {
  const pieces = text
    .split(/\r?\n[ \t]*\r?\n/)
    .map((paragraph) => paragraph.trim())
    .filter(Boolean)
    .flatMap((paragraph) => (paragraph.length <= CHUNK ? [paragraph] : sentencesOf(paragraph)));
  const parts: string[] = [];
  for (const piece of pieces) {
    const last = parts.at(-1);
    if (last !== undefined && last.length + piece.length < CHUNK)
      parts[parts.length - 1] = `${last}\n\n${piece}`;
    else parts.push(piece);
  }
  return parts.length > 0 ? parts : [""];
}

/** A long paragraph as pieces of whole sentences. */
function sentencesOf(paragraph: string): string[] {
  const pieces: string[] = [];
  const sentences = paragraph.match(/[^.!?。！？।\n]+[.!?。！？।\n]*\s*|[.!?。！？।\n]+\s*/gu) ?? [];
  for (const sentence of sentences.flatMap(cut)) {
    const last = pieces.at(-1);
    if (last !== undefined && last.length + sentence.length <= CHUNK)
      pieces[pieces.length - 1] = last + sentence;
    else pieces.push(sentence);
  }
  return pieces.map((piece) => piece.trim()).filter(Boolean);
}

/** A sentence in pieces that are short enough, cut between words, or between characters where there are none. */
function cut(sentence: string): string[] {
  const pieces: string[] = [];
  let rest = sentence;
  while (rest.length > LONGEST_SENTENCE) {
    const head = rest
      .slice(0, LONGEST_SENTENCE)
      .toWellFormed()
      .replace(/\uFFFD$/, "");
    const space = head.search(/\s\S*$/);
    const end = space > LONGEST_SENTENCE / 2 ? space + 1 : head.length;
    pieces.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...pieces, rest];
}
