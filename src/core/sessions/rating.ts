/** A customer's rating of a session. */
export interface Rating {
  /** 1 to 5. */
  readonly rating: number;
  /** Absent: unchanged. Null removes it. */
  readonly feedback?: string | null;
}

/** A rating as it is kept. */
export interface Rated {
  readonly session_id: string;
  readonly rating: number;
  readonly feedback?: string;
}

/** Given when a session is ended. Absent keys are unchanged. */
export interface Closing {
  /** What the session was about. */
  readonly summary?: string;
  readonly rating?: number;
  readonly feedback?: string;
}

/** How long after its end a session's rating may be changed, and the tokens it ended with may rate it. */
export const RATING_CHANGES_MS = 24 * 60 * 60_000;
