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

/** A file that was uploaded to the hub, as messages name it. */
export interface Upload {
  /** Its id. */
  readonly upload: string;
  /** As its first bytes show it. */
  readonly mime_type: string;
  readonly file_name?: string;
  readonly size: number;
  /** In hex. */
  readonly sha256: string;
}

/** The reader of a file: a session, or anybody, for an operator and for a link that the hub has signed. */
export type Reader = SessionRef | "anybody";

/** The files of messages, and the files that were uploaded to the hub. */
export interface Media {
  /**
   * The file of a message, by the message's id, or an upload by its own. `card` counts the cards of a carousel, from 1. Throws
   * `not_found` for a message without a file, and for a file of anybody else's session; `media_expired` for an upload that was
   * deleted; `session_not_found` and `session_expired`.
   */
  find(id: string, card: number | undefined, reader: Reader, now: Date): Promise<MessageFile>;
  /**
   * Begins an upload, for a session or for the shop, and returns its id. Throws `session_not_found`, `session_expired`, and
   * `too_many_requests` for a session that uploads too much.
   */
  begin(of: SessionRef | "shop", author: string | undefined, now: Date): Promise<string>;
  /** Says that the file is stored. Throws `not_found` if its session was erased meanwhile. */
  finish(id: string, file: Omit<Upload, "upload">, of: SessionRef | "shop", now: Date): Promise<Upload>;
  /** Takes a session's upload for its message, which keeps it. Throws `not_found`, also for somebody else's. */
  claim(id: string, of: SessionRef, now: Date): Promise<Upload>;
  /**
   * An upload that a message of this session sends, with the platform's own id of it if it has one. `place` is the platform's
   * account. Throws `not_found`, also for another session's.
   */
  send(
    id: string,
    session_id: string,
    place: string,
    now: Date,
  ): Promise<Upload & { readonly platform_id?: string }>;
  /** Keeps the platform's id of an upload until an instant; without an id it is forgotten. */
  keepPlatformId(
    id: string,
    place: string,
    platform_id: string | undefined,
    until: Date | undefined,
  ): Promise<void>;
  /** The ids of uploads to delete, at most `limit`. */
  over(now: Date, limit: number): Promise<readonly string[]>;
  /** Deletes the rows of uploads whose files are deleted. */
  drop(ids: readonly string[], now: Date): Promise<void>;
  /** Deletes an upload with the next sweep. Returns whether it was there. */
  delete(id: string, actor: string, now: Date): Promise<boolean>;
}
