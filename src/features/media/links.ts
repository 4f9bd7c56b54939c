import { signedText, signText } from "../../core/signature.ts";

/** A link lives at least this long, and at most twice as long: links made in one hour are equal, so that a page's cache keeps them. */
const LIFE_MS = 3_600_000;

/** Makes and checks links that open one file for a short time, without credentials. */
export interface MediaLinks {
  /** Whether a link opens a file for everybody. Without secrets it names the file, and the caller needs credentials. */
  readonly signs: boolean;
  /** The link, and when it ends. `card` counts the cards of a carousel, from 1. */
  link(id: string, now: Date, card?: number): { readonly url: string; readonly expires_at?: Date };
  /** As `link`, for programs outside: absolute and signed. Undefined without the settings for that. */
  linkOutside(
    id: string,
    now: Date,
    card?: number,
  ): { readonly url: string; readonly expires_at: Date } | undefined;
  /** Whether the hub has signed this link, and it has not ended. */
  opens(link: SignedLink, now: Date): boolean;
}

export interface SignedLink {
  readonly id: string;
  readonly card?: number | undefined;
  /** Unix seconds. */
  readonly expires: number;
  readonly signature: string;
}

/** Links under secrets, of which the first signs and each is accepted. `root` is the hub's own address, without a slash. */
export function mediaLinks(secrets: readonly string[], root: string | undefined): MediaLinks {
  const [secret] = secrets;
  const signed = (id: string, now: Date, card: number | undefined) => {
    const expires = (Math.floor(now.getTime() / LIFE_MS) + 2) * (LIFE_MS / 1_000);
    const query = new URLSearchParams({
      ...(card !== undefined && { card: String(card) }),
      expires: String(expires),
      signature: signText(secret!, said(id, card, expires)),
    });
    return { path: `/api/media/${id}?${query}`, expires_at: new Date(expires * 1_000) };
  };
  return {
    signs: secret !== undefined,
    link(id, now, card) {
      if (secret === undefined)
        return { url: `${root ?? ""}/api/media/${id}${card === undefined ? "" : `?card=${card}`}` };
      const { path, expires_at } = signed(id, now, card);
      return { url: `${root ?? ""}${path}`, expires_at };
    },
    linkOutside(id, now, card) {
      if (secret === undefined || root === undefined) return undefined;
      const { path, expires_at } = signed(id, now, card);
      return { url: `${root}${path}`, expires_at };
    },
    opens({ id, card, expires, signature }, now) {
      if (expires * 1_000 <= now.getTime() || expires * 1_000 > now.getTime() + 2 * LIFE_MS) return false;
      return secrets.some((each) => signedText(each, said(id, card, expires), signature));
    },
  };
}

/** What a link's signature is made of. */
function said(id: string, card: number | undefined, expires: number): string {
  return `media\n${id.toLowerCase()}\n${card ?? ""}\n${expires}`;
}
