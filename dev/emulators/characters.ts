/** Whether a text has more characters, not UTF-16 units, than that. */
export function longerThan(text: string, max: number): boolean {
  return text.length > max && (text.length > max * 2 || [...text].length > max);
}
