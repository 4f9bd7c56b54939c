/** Whether a text has more than `max` characters; characters, not UTF-16 units. */
export function longerThan(text: string, max: number): boolean {
  return text.length > max && (text.length > max * 2 || [...text].length > max);
}
