import { toHubError } from "../../core/errors.ts";
import type { Page, Sessions } from "../../core/sessions/sessions.ts";
import { type Connection, connectionOf, hangUp, isDoubtful, isOpen, remember, send } from "./connection.ts";
import { messageFrame, readyFrame } from "./frames.ts";

const PAGE = 200;

/**
 * Sends every socket the messages after its cursor, in order; one read serves all that are equally far. A socket whose
 * token has died, or whose session has merged into another, is closed. Throws `unavailable`, each socket's cursor then
 * standing where it was sent to.
 */
export async function catchUp(sockets: readonly WebSocket[], sessions: Sessions): Promise<void> {
  let behind = sockets;
  while (behind.length > 0) {
    const now = new Date();
    const further: WebSocket[] = [];
    for (const group of alike(behind, now)) if (await advance(group, sessions, now)) further.push(...group);
    behind = further.filter(isOpen);
  }
}

/** The sockets that would read the same page: equally far, and of one token where its life is in doubt. */
function alike(sockets: readonly WebSocket[], now: Date): WebSocket[][] {
  const groups = Map.groupBy(sockets, (socket) => {
    const connection = connectionOf(socket);
    return `${connection.cursor} ${isDoubtful(connection, now.getTime()) ? connection.token_hash : ""}`;
  });
  return [...groups.values()];
}

/** Sends sockets that are alike their next page. Returns whether there is another one. */
async function advance(group: readonly WebSocket[], sessions: Sessions, now: Date): Promise<boolean> {
  const asked = connectionOf(group[0]!);
  const page = await read(asked, sessions, now);
  if (page?.session_id !== asked.session_id) {
    const why = page ? "moved" : "closed";
    for (const socket of group) hangUp(socket, why);
    return false;
  }
  const frames = page.messages.map(messageFrame);
  for (const socket of group) {
    const connection = connectionOf(socket);
    const isReady = connection.ready || !page.more;
    send(socket, isReady && !connection.ready ? [...frames, readyFrame(page.cursor)] : frames);
    const seen = isDoubtful(asked, now.getTime()) ? now.getTime() : connection.seen;
    remember(socket, { ...connectionOf(socket), cursor: page.cursor, ready: isReady, seen });
  }
  return page.more;
}

/** The next page: by its token where that is in doubt, which tells whether it lives. Undefined when all is over. */
async function read(
  connection: Connection,
  sessions: Sessions,
  now: Date,
): Promise<(Page & { session_id: string }) | undefined> {
  const { session_id, token_hash, cursor } = connection;
  const ref = isDoubtful(connection, now.getTime()) ? { token_hash } : { session_id };
  try {
    return await sessions.messages(ref, cursor, PAGE, now);
  } catch (thrown) {
    const { code } = toHubError(thrown);
    if (code === "session_not_found" || code === "session_expired") return undefined;
    throw thrown;
  }
}
