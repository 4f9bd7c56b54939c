import { isOpen } from "./connection.ts";
import type { DraftEvent, DraftFrame } from "./frames.ts";

/** How long a draft stands without news. A Worker that dies withdraws nothing. */
const FORGOTTEN_MS = 30_000;

/** What a socket has of a draft. */
interface Held {
  readonly reply_to: string;
  readonly channel: string;
  readonly attempt: number;
  readonly text: string;
}

/** The answer that is being written in one session, and how much of it each of its devices has. */
export interface Drafts {
  /** Takes an event, unless a newer draft is known: isolates publish in any order. */
  take(event: DraftEvent): void;
  /** Whether some device has to get something. */
  readonly isNew: boolean;
  /** What the sockets still have to get, as one frame for each of those that may have it now. */
  pass(sockets: readonly WebSocket[], mayHave: (socket: WebSocket, event: DraftEvent) => boolean): void;
}

/** `send` gives a frame to a device; `forgotten` is called when a draft stands too long, and has been taken away. */
export function newDrafts(
  send: (socket: WebSocket, frame: DraftFrame) => void,
  forgotten: () => void,
): Drafts {
  const held = new WeakMap<WebSocket, Held>();
  let current: DraftEvent | undefined;
  let isNew = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** What is new to a socket; first that a draft of another message is gone. */
  function framesFor(socket: WebSocket, event: DraftEvent): DraftFrame[] {
    const { reply_to, channel, attempt, text, format } = event;
    const before = held.get(socket);
    const had = before?.text ?? "";
    held.set(socket, { reply_to, channel, attempt, text });
    if (had !== "" && before && (before.reply_to !== reply_to || text === "")) {
      const gone = {
        type: "draft",
        reply_to: before.reply_to,
        channel: before.channel,
        at: 0,
        text: "",
      } as const;
      return text === "" ? [gone] : [gone, frame(0)];
    }
    if (text === "") return [];
    const continues = before?.attempt === attempt && text.startsWith(had);
    if (continues && text === had) return [];
    return [frame(continues ? had.length : 0)];

    function frame(at: number): DraftFrame {
      return { type: "draft", reply_to, channel, at, text: text.slice(at), ...(format && { format }) };
    }
  }

  return {
    get isNew() {
      return isNew;
    },
    take(event) {
      if (current && isOlder(event, current)) return;
      current = event;
      isNew = true;
      clearTimeout(timer);
      if (event.text === "") return;
      timer = setTimeout(() => {
        current = { ...event, text: "" };
        isNew = true;
        forgotten();
      }, FORGOTTEN_MS);
    },
    pass(sockets, mayHave) {
      isNew = false;
      if (!current) return;
      for (const socket of sockets) {
        if (!isOpen(socket) || !mayHave(socket, current)) continue;
        for (const frame of framesFor(socket, current)) send(socket, frame);
      }
    },
  };
}

/** Whether a draft is of an older message or attempt than the known one, or came after the end of its own attempt. */
function isOlder(event: DraftEvent, known: DraftEvent): boolean {
  if (event.seq !== known.seq) return event.seq < known.seq;
  if (event.attempt !== known.attempt) return event.attempt < known.attempt;
  return known.text === "";
}
