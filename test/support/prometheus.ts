/** One metric's series. The keys are the sorted labels, as written between the braces: `channel="web",le="1"`. */
export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  readonly series: Map<string, number>;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;
const VALUE = /^(?:[+-]?Inf|NaN|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/;

/**
 * Reads Prometheus' text format 0.0.4 strictly. Throws if a series has no HELP and TYPE before it, if a family is not
 * together, if a series appears twice, and if a histogram's buckets fall or have no `+Inf`.
 * https://prometheus.io/docs/instrumenting/exposition_formats
 */
export function readPrometheus(text: string): Map<string, ReadFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, ReadFamily & { type: string }>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") {
      if (families.has(name)) throw new Error(`${name} comes twice`);
      families.set(name, { type: "", help: rest, series: new Map() });
      current = name;
    } else if (kind === "TYPE") {
      if (name !== current || !/^(counter|gauge|histogram)$/.test(rest)) throw new Error(`bad line: ${line}`);
      families.get(name)!.type = rest;
    } else readSample(line, current, families.get(current));
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family);
  return families;
}

function readSample(line: string, current: string, family: ReadFamily | undefined): void {
  const [, name = "", labels = "", value = ""] = LINE.exec(line) ?? [];
  const suffix = name.slice(current.length);
  const fits = family?.type === "histogram" ? /^_(bucket|sum|count)$/.test(suffix) : suffix === "";
  if (!family?.type || !name.startsWith(current) || !fits || !VALUE.test(value))
    throw new Error(`bad line: ${line}`);
  const key = suffix + JSON.stringify(labelsIn(labels, line));
  if (family.series.has(key)) throw new Error(`series twice: ${line}`);
  family.series.set(key, Number(value.replace("Inf", "Infinity")));
}

function labelsIn(text: string, line: string): [string, string][] {
  const labels: [string, string][] = [];
  for (LABEL.lastIndex = 0; LABEL.lastIndex < text.length; ) {
    const [, name = "", value = ""] = LABEL.exec(text) ?? [];
    if (!name) throw new Error(`bad labels: ${line}`);
    labels.push([name, value.replace(/\\(.)/g, (_, sign) => (sign === "n" ? "\n" : sign))]);
  }
  return labels.sort();
}

function checkHistogram(name: string, { series }: ReadFamily): void {
  const groups = new Map<string, [number, number][]>();
  for (const [key, value] of series) {
    if (!key.startsWith("_bucket")) continue;
    const labels = JSON.parse(key.slice("_bucket".length)) as [string, string][];
    const le = labels.find(([label]) => label === "le")?.[1];
    const others = JSON.stringify(labels.filter(([label]) => label !== "le"));
    groups.set(others, [...(groups.get(others) ?? []), [Number(le?.replace("Inf", "Infinity")), value]]);
  }
  for (const [others, buckets] of groups) {
    buckets.forEach(([le, count], i) => {
      const [before = Number.NEGATIVE_INFINITY, fewer = 0] = buckets[i - 1] ?? [];
      if (!(le > before && count >= fewer)) throw new Error(`${name}${others}: buckets fall at ${le}`);
    });
    if (buckets.at(-1)?.[0] !== Number.POSITIVE_INFINITY) throw new Error(`${name}${others} has no end`);
    if (series.get(`_count${others}`) !== buckets.at(-1)?.[1] || !series.has(`_sum${others}`))
      throw new Error(`${name}${others}: its count is another`);
  }
}

/** The value of one series; `labels` by name. */
export function figure(
  families: Map<string, ReadFamily>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const [family, suffix = ""] = families.has(name)
    ? [name]
    : [name.replace(/_[a-z]+$/, ""), /_[a-z]+$/.exec(name)?.[0]];
  return families.get(family)?.series.get(suffix + JSON.stringify(Object.entries(labels).sort()));
}
