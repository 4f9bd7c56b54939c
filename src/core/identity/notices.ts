/** What the hub itself tells customers about who they are here, in one language. */
export interface Notices {
  /** To who has scanned a link. */
  readonly linked: string;
  /** To who has scanned one that is used, old, or another person's. */
  readonly link_failed: string;
  /**
   * To a known customer who has scanned the code of another one's device, before the two become one: `{identity}` and
   * `{channels}` stand for the other.
   */
  readonly merge_required: string;
  /** To who has lost their phone number to newer proof, where they can still be reached. */
  readonly phone_moved: string;
  /** The same of a messenger's account. */
  readonly account_moved: string;
}

export const NOTICES: Notices = {
  linked: "You are connected. Go on where the code was shown.",
  link_failed: "This code is no longer valid. Please let a new one be shown and scan that.",
  merge_required:
    "This code joins you with the conversation of {identity} ({channels}). If that is you too, send the same code again within ten minutes.",
  phone_moved:
    "Your phone number now belongs to another conversation. Was that not you? Then please tell us.",
  account_moved:
    "One of your accounts now belongs to another conversation. Was that not you? Then please tell us.",
};

/** The message that carries a one-time code where the platform has no form of its own for it. */
export function codeText(code: string): string {
  return `${code} is your code. It is valid for 5 minutes. Give it to nobody: we never ask for it.`;
}
