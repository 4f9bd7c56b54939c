/** The largest upload. */
export const UPLOAD_BYTES = 16 * 1024 * 1024;
/** How long an upload may take, in ms: customers upload over slow lines, and a scanner may look at it. */
export const UPLOAD_MS = 90_000;
