/** What a customer says of a session. */
export interface Rating {
  /** 1 to 5. */
  readonly rating: number;
  /** Absent: it stays as it was. Null takes it away. */
  readonly feedback?: string | null;
}

/** A rating as it is kept. */
export interface Rated {
  readonly session_id: string;
  readonly rating: number;
  readonly feedback?: string;
}

/** What is said of a session as it ends; what is absent stays as it was. */
export interface Closing {
  /** What it was about. */
  readonly summary?: string;
  readonly rating?: number;
  readonly feedback?: string;
}

/** How long after its end a session's rating may be changed, and the tokens it ended with may rate it. */
export const RATING_CHANGES_MS = 24 * 60 * 60_000;
