const encoder = new TextEncoder();

/**
 * What a store is given of a password, to hash it again slowly: always 44 characters, so that bcrypt, which reads 72
 * bytes and stops at a NUL, hears all of it, and the words themselves reach no database and none of its logs.
 */
export async function passwordDigest(password: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", encoder.encode(password));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
