import { HubError, toHubError } from "../../core/errors.ts";
import type { Live, LiveEvent } from "../../core/live.ts";
import type { Log } from "../../core/log.ts";
import type { MediaLinks } from "../../features/media/links.ts";
import { type RoomEvent, toRoomEvent } from "./frames.ts";

/** The time limit of one call to a room. */
const PUBLISH_MS = 5_000;

/** For a hub without live updates: devices find new messages by cursor. */
export const noLive: Live = { publish: () => {} };

/**
 * Publishes events to the rooms of their sessions, in the background of one request. Events that are published during a
 * call to the room wait, and go together in the next call, in order. A failure is logged once per request; devices then
 * find the messages by cursor.
 */
export function liveRooms(
  rooms: DurableObjectNamespace,
  waitUntil: (work: Promise<unknown>) => void,
  log: Log,
  links: MediaLinks,
): Live {
  const roomEvent = (event: LiveEvent) => toRoomEvent(event, { links, now: new Date() });
  const queues = new Map<string, RoomEvent[]>();
  let hasFailed = false;

  async function flush(session_id: string, queue: RoomEvent[]): Promise<void> {
    try {
      const room = rooms.get(rooms.idFromName(session_id));
      await undefined; // Events published in the same step go in the same call.
      while (queue.length > 0) await post(room, current(queue.splice(0)));
    } catch (thrown) {
      const { code, reason } = toHubError(thrown);
      if (!hasFailed) log("warn", "live.failed", { session_id, code, reason });
      hasFailed = true;
    }
    queues.delete(session_id);
  }

  return {
    publish(session_id, event) {
      const waiting = queues.get(session_id);
      if (waiting) {
        waiting.push(roomEvent(event));
        return;
      }
      const queue = [roomEvent(event)];
      queues.set(session_id, queue);
      waitUntil(flush(session_id, queue));
    },
  };
}

/** The events without `typing` before the last `messages`: the bot has answered by then. */
function current(events: readonly RoomEvent[]): RoomEvent[] {
  const answered = events.findLastIndex(({ type }) => type === "messages");
  return events.filter(({ type }, i) => type !== "typing" || i > answered);
}

async function post(room: DurableObjectStub, events: readonly RoomEvent[]): Promise<void> {
  const answer = await room.fetch("http://room/publish", {
    method: "POST",
    body: JSON.stringify(events),
    signal: AbortSignal.timeout(PUBLISH_MS),
  });
  if (!answer.ok)
    throw new HubError("unavailable", "the room did not answer", { reason: `http_${answer.status}` });
}
