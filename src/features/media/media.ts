import type { SessionRef } from "../../core/sessions/session.ts";

/** A file of a message: where it lies, and what its message says of it. */
export interface MessageFile {
  /** The kind of its message: `image`, `audio`, … */
  readonly kind: string;
  readonly channel: string;
  /** The platform's id of it. Absent: it is an upload. */
  readonly id?: string;
  readonly upload?: string;
  readonly mime_type?: string;
  readonly file_name?: string;
  readonly size?: number;
}

/** The reader of a file: a session, or anybody, for an operator and for a link that the hub has signed. */
export type Reader = SessionRef | "anybody";

/** The files of messages, and the files that were uploaded to the hub. */
export interface Media {
  /**
   * The file of a message, by the message's id, or an upload by its own. `card` counts the cards of a carousel, from 1. Throws
   * `not_found` for a message without a file, and for a file of anybody else's session; `session_not_found` and
   * `session_expired`.
   */
  find(id: string, card: number | undefined, reader: Reader, now: Date): Promise<MessageFile>;
}
