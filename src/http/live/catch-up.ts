import { toHubError } from "../../core/errors.ts";
import type { Page, Sessions } from "../../core/sessions/sessions.ts";
import type { MediaLinks } from "../../features/media/links.ts";
import type { FileLinks } from "../../features/media/of-message.ts";
import { type Connection, connectionOf, hangUp, isCheckDue, isOpen, remember, send } from "./connection.ts";
import { messageFrame, readyFrame } from "./frames.ts";

const PAGE = 200;

/**
 * Sends every socket the messages after its cursor, in order. Sockets with the same cursor share one read. A socket
 * whose token has died, or whose session has merged into another, is closed. Throws `unavailable`; each socket's cursor
 * is then at the last message that it was sent.
 */
export async function catchUp(
  sockets: readonly WebSocket[],
  sessions: Sessions,
  links: MediaLinks,
): Promise<void> {
  let behind = sockets;
  while (behind.length > 0) {
    const now = new Date();
    const unfinished: WebSocket[] = [];
    for (const group of bySamePage(behind, now))
      if (await advance(group, sessions, { links, now })) unfinished.push(...group);
    behind = unfinished.filter(isOpen);
  }
}

/** Groups sockets that read the same page: the same cursor, and the same token if it must be checked again. */
function bySamePage(sockets: readonly WebSocket[], now: Date): WebSocket[][] {
  const groups = Map.groupBy(sockets, (socket) => {
    const connection = connectionOf(socket);
    return `${connection.cursor} ${isCheckDue(connection, now.getTime()) ? connection.token_hash : ""}`;
  });
  return [...groups.values()];
}

/** Sends a group of sockets its next page. Returns whether there is another page. */
async function advance(group: readonly WebSocket[], sessions: Sessions, files: FileLinks): Promise<boolean> {
  const { now } = files;
  const asked = connectionOf(group[0]!);
  const page = await read(asked, sessions, now);
  if (page?.session_id !== asked.session_id) {
    const why = page ? "moved" : "closed";
    for (const socket of group) hangUp(socket, why);
    return false;
  }
  const frames = page.messages.map((message) => messageFrame(message, files));
  for (const socket of group) {
    const connection = connectionOf(socket);
    if (connection.epoch !== undefined && connection.epoch !== page.epoch) {
      hangUp(socket, "moved");
      continue;
    }
    const isReady = connection.ready || !page.more;
    send(socket, isReady && !connection.ready ? [...frames, readyFrame(page.cursor, page.epoch)] : frames);
    const checked_at = isCheckDue(asked, now.getTime()) ? now.getTime() : connection.checked_at;
    const { cursor, epoch } = page;
    remember(socket, { ...connectionOf(socket), cursor, epoch, ready: isReady, checked_at });
  }
  return page.more;
}

/** The next page. It is read by the token if that must be checked again. Undefined if the token or session is over. */
async function read(
  connection: Connection,
  sessions: Sessions,
  now: Date,
): Promise<(Page & { session_id: string }) | undefined> {
  const { session_id, token_hash, cursor } = connection;
  const ref = isCheckDue(connection, now.getTime()) ? { token_hash } : { session_id };
  try {
    return await sessions.messages(ref, cursor, PAGE, now);
  } catch (thrown) {
    const { code } = toHubError(thrown);
    if (code === "session_not_found" || code === "session_expired") return undefined;
    throw thrown;
  }
}
