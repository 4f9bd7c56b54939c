/** The tokens of a message's frame in the protocol. */
export const FRAME_TOKENS = 6;

/**
 * About how many tokens a text has, rather too many than too few. The model's own tables have hundreds of kilobytes, so: three ASCII
 * characters, or two bytes of other characters, are one token. English has about four characters per token. Random letters and digits may
 * have more tokens than this; what the endpoint reports afterwards is counted.
 */
export function estimateTokens(text: string): number {
  let ascii = 0;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) ascii += 1;
    else bytes += unit < 0x800 ? 2 : unit >= 0xd800 && unit <= 0xdfff ? 2 : 3;
  }
  return Math.ceil(ascii / 3 + bytes / 2);
}

/** A text cut to about this many tokens, between characters. */
export function cutTo(text: string, tokens: number): string {
  if (estimateTokens(text) <= tokens) return text;
  let low = 0;
  let high = Math.min(text.length, tokens * 3);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (estimateTokens(text.slice(0, middle)) <= tokens) low = middle;
    else high = middle - 1;
  }
  return `${text
    .slice(0, low)
    .toWellFormed()
    .replace(/\uFFFD$/, "")} […]`;
}
