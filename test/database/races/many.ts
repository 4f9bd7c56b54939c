/** The same list in another order. */
export function shuffled<T>(items: readonly T[]): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

/** Runs `work` on every item, a limited number at a time. Returns the results in the items' order. */
export async function inFlight<T, R>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const answers: R[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) answers[i] = await work(items[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return answers;
}

/** A list without repeated items. */
export const once = <T>(list: readonly T[]): T[] => [...new Set(list)];

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const numbered = (prefix: string, count: number): string[] => range(count).map((i) => `${prefix}${i}`);
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
