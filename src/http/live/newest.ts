import type { Notice } from "./frames.ts";

const STATUSES = ["pending", "sent", "delivered", "read", "played", "failed"];
/** How many messages' last statuses are remembered. */
const MOST = 500;

/** Returns a filter that drops a notice if a newer one of the same thing has passed: isolates publish in any order. */
export function newest(): (notice: Notice) => boolean {
  const furthest = new Map<string, number>();
  let version = 0;
  let updated_at = "";

  function isFurther(message_id: string, status: string): boolean {
    const rank = STATUSES.indexOf(status);
    if (rank < (furthest.get(message_id) ?? 0)) return false;
    furthest.delete(message_id);
    furthest.set(message_id, rank);
    if (furthest.size > MOST) furthest.delete(furthest.keys().next().value!);
    return true;
  }

  return (notice) => {
    switch (notice.type) {
      case "session": {
        const { session } = notice;
        const isOlder =
          session.version === version ? session.updated_at < updated_at : session.version < version;
        if (isOlder) return false;
        ({ version, updated_at } = session);
        return true;
      }
      case "status":
        return isFurther(notice.message_id, notice.status);
      case "changed":
        return !notice.message.status || isFurther(notice.message.message_id, notice.message.status);
      case "typing":
      case "turn":
        return true;
    }
  };
}
