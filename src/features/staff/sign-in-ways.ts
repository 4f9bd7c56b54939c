/** Somebody whose e-mail was verified; `auth_id` is their id where that was. */
export interface Verified {
  readonly email: string;
  readonly auth_id?: string;
}

/** How the people of the shop show who they are. All throw `unauthorized`, and `unavailable` if nobody can say. */
export interface SignInWays {
  /** `local`: on a developer's machine, by one password for all. */
  readonly kind: "supabase" | "local";
  byPassword(email: string, password: string): Promise<Verified>;
  /** The access token of Supabase Auth, as a page gets it after a link in an e-mail. */
  byAccessToken?(access_token: string): Promise<Verified>;
  /** Sends a link that signs in. `page` is where it leads. Nobody learns whether there is such a person. */
  sendLink?(email: string, page: string): Promise<void>;
}
