import type { Part } from "../answer/turn.ts";
import type { Content } from "../messages/content.ts";
import type { InboundEvent } from "../receive/conversations.ts";

/** How long before its end a window counts as closed, in ms: a reply takes a while to its platform. */
export const WINDOW_MARGIN_MS = 60_000;
/** How long a part waits for the customer to write, in ms. Then it is a dead letter. */
export const HOLD_MS = 7 * 86_400_000;

/** What the sender of a reply wants if its window is closed when it would be sent. */
export const OUTSIDE_WINDOW = ["fail", "hold", "template", "utility"] as const;
export type OutsideWindow = (typeof OUTSIDE_WINDOW)[number];

/** The rule of a platform that takes free replies only for a time after the customer's last message. */
export interface ReplyWindow {
  /** How long after a customer's message free replies are taken, in ms. */
  readonly ms: number;
  /** Whether the platform takes the part only while the window is open. */
  needs(part: Part): boolean;
  /** The `reason` of the platform's refusal of a part that came too late. */
  readonly refusal: string;
  /** What a reply that names nothing wants. */
  readonly otherwise: OutsideWindow;
  /**
   * What is sent outside the window in place of a part: the configured template with the part's text, or the part itself as a
   * paid call that the platform takes at any time. Undefined: the platform, or the settings, have no such thing for the part.
   */
  instead(part: Part, as: "template" | "utility"): Part["outside"];
}

/** A window that is open: until then the platform takes free replies to the customer from this account. */
export interface OpenWindow {
  readonly channel: string;
  readonly account: string;
  readonly window_closes_at: Date;
}

/** Whether a window is open long enough for a part to arrive. */
export function isOpen(closes_at: Date | undefined, now: Date): boolean {
  return closes_at !== undefined && closes_at.getTime() > now.getTime() + WINDOW_MARGIN_MS;
}

/**
 * A customer's message with the end of the window that it opens. The platform counts from the time of the message: one that
 * came late opens less. A time ahead of the hub's clock counts as now. A reaction opens no window. A receipt that says the window
 * was closed is marked so.
 */
export function withWindow(window: ReplyWindow | undefined, event: InboundEvent, now: Date): InboundEvent {
  if (!window) return event;
  if (event.type === "receipt") {
    const { receipt } = event;
    const isRefused = receipt.status === "failed" && receipt.reason === window.refusal;
    return isRefused ? { ...event, receipt: { ...receipt, window_ms: window.ms } } : event;
  }
  if (event.type !== "message" || !opens(event.message.content)) return event;
  const { sent_at = now } = event.message;
  const from = Math.min(sent_at.getTime(), now.getTime());
  return { ...event, message: { ...event.message, window_closes_at: new Date(from + window.ms) } };
}

function opens({ kind }: Content): boolean {
  return kind !== "reaction";
}

/**
 * The parts of a reply with what becomes of each outside the window. Of a reply in several parts the template stands for the
 * first one; the others wait for the customer's answer to it.
 */
export function withOutside(
  window: ReplyWindow,
  parts: readonly Part[],
  wish: OutsideWindow = window.otherwise,
): Part[] {
  return parts.map((part, i) => {
    if (wish === "fail" || !window.needs(part)) return part;
    const outside = wish === "hold" || (wish === "template" && i > 0) ? "hold" : window.instead(part, wish);
    return outside === undefined ? part : { ...part, outside };
  });
}
