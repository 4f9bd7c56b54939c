const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/**
 * Cuts a text into pieces of at most `limit` UTF-16 units, in order. `limit` is 2 or more. A cut is made at the end of
 * a paragraph, a line, a sentence or a word, if one lies in the second half of the piece; never inside a character as
 * people see it, unless the character is longer than `limit`. White space at a cut is dropped.
 */
export function splitText(text: string, limit: number): string[] {
  const pieces: string[] = [];
  let rest = text.slice(leadingSpace(text)).trimEnd();
  while (rest.length > limit) {
    const cut = cutAt(rest, limit);
    pieces.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut);
    rest = rest.slice(leadingSpace(rest));
  }
  if (rest) pieces.push(rest);
  return pieces;
}

function cutAt(text: string, limit: number): number {
  const head = text.slice(0, limit + 1);
  for (const mark of ["\n\n", "\n", ". ", " "]) {
    const kept = mark === ". " ? 1 : 0;
    for (let at = limit - kept; ; at--) {
      at = head.lastIndexOf(mark, at);
      if (at <= limit / 2) break;
      if (leadingSpace(text.slice(at + kept)) > 0) return at + kept;
    }
  }
  return graphemeCut(text, limit);
}

/** The length of the white space at the start of a text. A last space with a combining mark on it does not count. */
function leadingSpace(text: string): number {
  const space = text.length - text.trimStart().length;
  if (space === 0) return 0;
  const [last] = segmenter.segment(text.slice(space - 1, space + 8));
  return last!.segment.trim() === "" ? space : space - 1;
}

/** The last boundary between characters at or before `limit`. A single character longer than `limit` is cut inside. */
function graphemeCut(text: string, limit: number): number {
  let cut = 0;
  for (const { index, segment } of segmenter.segment(text.slice(0, limit + 64))) {
    if (index + segment.length > limit) break;
    cut = index + segment.length;
  }
  if (cut > 0) return cut;
  return text.slice(0, limit).isWellFormed() ? limit : limit - 1;
}
