import { HubError, toHubError } from "../../core/errors.ts";
import type { Live } from "../../core/live.ts";
import type { Log } from "../../core/log.ts";
import { type RoomEvent, toRoomEvent } from "./frames.ts";

/** A room that takes longer has failed. */
const PUBLISH_MS = 5_000;

/** The Live of a hub whose devices hold no connections: all find what is new by cursor. */
export const noLive: Live = { publish: () => {} };

/**
 * Tells each session's room of what happens, in the background of one request. What is published while its room is
 * being told waits and goes in one call, in order. A failure is logged once and harms nothing: devices find by cursor
 * what they were not told.
 */
export function liveRooms(
  rooms: DurableObjectNamespace,
  waitUntil: (work: Promise<unknown>) => void,
  log: Log,
): Live {
  const queues = new Map<string, RoomEvent[]>();
  let hasFailed = false;

  async function tell(session_id: string, queue: RoomEvent[]): Promise<void> {
    try {
      const room = rooms.get(rooms.idFromName(session_id));
      await undefined; // what the same step publishes goes along
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
        waiting.push(toRoomEvent(event));
        return;
      }
      const queue = [toRoomEvent(event)];
      queues.set(session_id, queue);
      waitUntil(tell(session_id, queue));
    },
  };
}

/** Without the typing of a bot that has answered by now. */
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
