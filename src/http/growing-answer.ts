import type { Hub } from "../core/hub.ts";
import type { LiveEvent } from "../core/live.ts";

type DraftEvent = Extract<LiveEvent, { type: "draft" }>;

/** A part of the bot's answer so far, as one line of a streamed answer. */
interface DraftLine {
  readonly type: "draft";
  readonly reply_to: string;
  /** Where `text` begins in the draft: `draft = draft.slice(0, at) + text`. */
  readonly at: number;
  readonly text: string;
  readonly format?: "plain" | "markdown";
}

/** The drafts of one request's turns, as its caller reads them. */
export interface Growing {
  /** The hub, which shows its drafts to the caller too. */
  readonly hub: Hub;
  /** The drafts of one session until `ended` settles, as fast as the reader takes them: of several at once only the newest. */
  lines(session_id: string, ended: Promise<unknown>): AsyncGenerator<DraftLine>;
}

/** Watches the drafts that this hub publishes while it answers. Only drafts of this process are seen. */
export function growing(hub: Hub): Growing {
  const newest = new Map<string, DraftEvent>();
  let wake = () => {};
  return {
    hub: {
      ...hub,
      live: {
        publish(session_id, event) {
          if (event.type === "draft") {
            newest.set(session_id, event);
            wake();
          }
          hub.live.publish(session_id, event);
        },
      },
    },
    async *lines(session_id, ended) {
      let isOver = false;
      const finish = () => {
        isOver = true;
        wake();
      };
      ended.then(finish, finish);
      let shown: DraftEvent | undefined;
      while (!isOver) {
        const event = newest.get(session_id);
        if (event && event !== shown) {
          const line = lineOf(event, shown);
          shown = event;
          if (line) yield line;
          continue;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

function lineOf(event: DraftEvent, shown: DraftEvent | undefined): DraftLine | undefined {
  const { reply_to, text, format } = event;
  const had = shown?.reply_to === reply_to ? shown.text : "";
  if (text === had) return undefined;
  const at = shown?.attempt === event.attempt && had !== "" && text.startsWith(had) ? had.length : 0;
  return { type: "draft", reply_to, at, text: text.slice(at), ...(format && { format }) };
}
