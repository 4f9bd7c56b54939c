/** A run of text as WhatsApp shows it, with the marks that format it, sorted. */
export interface Shown {
  readonly text: string;
  readonly marks: string;
}

const MARKS = "*_~`";
const WORD = /[\p{L}\p{N}]/u;
const BLANK = /^$|[\s\u200b]/u;

/**
 * Reads a text as WhatsApp shows it: a mark begins a format after anything but a word and before anything but a space, and
 * ends it the other way round, on the same line. Spaces of no width are shown as nothing.
 * @see https://faq.whatsapp.com/539178204879377
 */
export function shownOn(text: string): Shown[] {
  const shown: Shown[] = [];
  for (const line of text.split(/(?<=\n)/)) read(line, "", shown);
  return joined(
    shown.map((run) => ({ ...run, text: run.text.replaceAll("\u{200b}", "") })).filter((run) => run.text),
  );
}

function read(line: string, marks: string, shown: Shown[]): void {
  let plain = "";
  for (let i = 0; i < line.length; i++) {
    const end = endOf(line, i, marks);
    if (end === undefined) {
      plain += line.charAt(i);
      continue;
    }
    const mark = line.charAt(i);
    shown.push({ text: plain, marks });
    plain = "";
    const inner = line.slice(i + 1, end);
    if (mark === "`") shown.push({ text: inner, marks: [...marks, mark].sort().join("") });
    else read(inner, [...marks, mark].sort().join(""), shown);
    i = end;
  }
  shown.push({ text: plain, marks });
}

/** Where the format that a mark begins ends; undefined if it begins none. */
function endOf(line: string, at: number, marks: string): number | undefined {
  const mark = line.charAt(at);
  if (!MARKS.includes(mark) || marks.includes(mark)) return undefined;
  if (WORD.test(before(line, at)) || BLANK.test(line.charAt(at + 1))) return undefined;
  for (let end = line.indexOf(mark, at + 2); end > 0; end = line.indexOf(mark, end + 1))
    if (!BLANK.test(line.charAt(end - 1)) && !WORD.test(after(line, end))) return end;
  return undefined;
}

function before(line: string, at: number): string {
  return [...line.slice(Math.max(0, at - 2), at)].at(-1) ?? "";
}

function after(line: string, at: number): string {
  return [...line.slice(at + 1)][0] ?? "";
}

function joined(runs: readonly Shown[]): Shown[] {
  const result: Shown[] = [];
  for (const run of runs) {
    const last = result.at(-1);
    if (last?.marks === run.marks) result[result.length - 1] = { ...last, text: last.text + run.text };
    else result.push(run);
  }
  return result;
}
