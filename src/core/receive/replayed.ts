import { answer } from "../answer/answer.ts";
import type { Hub } from "../hub.ts";
import type { Received } from "./conversations.ts";
import { runInBackground } from "./effects.ts";
import { publish } from "./publish.ts";

/** Publishes the events that a replay has stored, and answers their turns in the background. */
export function handleReplayed(hub: Hub, results: readonly Received[]): void {
  for (const result of results) {
    publish(hub, result);
    if (result.turn) runInBackground(hub, "journal.not_answered", answer(hub, result.turn));
  }
}
