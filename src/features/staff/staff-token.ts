import { HubError } from "../../core/errors.ts";
import { sha256Hex } from "../../core/signature.ts";
import { randomText } from "../../http/auth.ts";

const PREFIX = "hsu_";
const BEARER = /^Bearer +(hsu_[\w-]{1,128}) *$/i;

/** A new token of the staff, and its SHA-256 for the store. */
export async function mintStaffToken(): Promise<{ staff_token: string; token_hash: string }> {
  const staff_token = PREFIX + randomText(32);
  return { staff_token, token_hash: await sha256Hex(staff_token) };
}

/** Whether the request shows a token of the staff. The store says whether somebody is signed in with it. */
export function hasStaffToken(headers: Headers): boolean {
  return BEARER.test(headers.get("authorization") ?? "");
}

/** The SHA-256 of the caller's token. Throws `unauthorized` without one: no API key and no session token is a sign-in. */
export async function staffTokenOf(headers: Headers): Promise<string> {
  const token = BEARER.exec(headers.get("authorization") ?? "")?.[1];
  if (token) return sha256Hex(token);
  throw new HubError("unauthorized", "sign in at the desk: Authorization: Bearer with the staff_token");
}
