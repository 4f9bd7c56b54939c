/** The largest upload. */
export const UPLOAD_BYTES = 16 * 1024 * 1024;
/** How long a platform may take to find a file, and again to begin sending it, in ms. */
export const OPEN_MS = 5_000;

/**
 * The time limit of a request for a file, in ms. Customers upload over slow lines, and a scanner may look at the file. A read
 * has to begin within it; how long it goes on does not count.
 */
export function mediaLimitMs(method: string): number {
  return method === "POST" ? 90_000 : 3 * OPEN_MS;
}
