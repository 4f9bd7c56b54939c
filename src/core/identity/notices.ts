/** The texts that the hub itself sends to customers about their identities, in one language. */
export interface Notices {
  /** To a customer who has redeemed a link. */
  readonly linked: string;
  /** To a customer whose link is unknown, used or expired, or was shown to a person who is known to be another one. */
  readonly link_failed: string;
  /**
   * To a known customer who has scanned the code of a device with another customer's session. The two merge only after
   * a second scan. `{identity}` and `{channels}` are replaced with the other customer's masked identity and channels.
   */
  readonly merge_required: string;
  /** To a customer whose phone number was verified for another customer; sent where they can still be reached. */
  readonly phone_moved: string;
  /** The same for a messenger's account. */
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

/** The text of a message with a one-time code, for platforms without a format of their own for codes. */
export function codeText(code: string): string {
  return `${code} is your code. It is valid for 5 minutes. Give it to nobody: we never ask for it.`;
}
