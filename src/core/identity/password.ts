const encoder = new TextEncoder();

/**
 * The SHA-256 of a password as base64, always 44 characters. The store gets this instead of the password, and hashes it
 * again with bcrypt. bcrypt reads only 72 bytes and stops at a NUL, so it must not get the password itself; and the
 * password reaches neither the database nor its logs.
 */
export async function passwordDigest(password: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(password));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
