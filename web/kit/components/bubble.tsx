import { Check, CheckCheck, CircleAlert, Clock3 } from "lucide";
import type { ComponentChildren } from "preact";
import { Icon } from "./icon.tsx";

/** How far a message has come. */
export type Ticks = "waiting" | "sent" | "delivered" | "read" | "failed";

const ICONS = { waiting: Clock3, sent: Check, delivered: CheckCheck, read: CheckCheck, failed: CircleAlert };

export interface BubbleProps {
  /** `own`: of whoever looks at the page. `note`: seen by colleagues alone. */
  readonly side: "own" | "other" | "system" | "note";
  readonly children: ComponentChildren;
  /** Who says it; read aloud before the message, and shown if `showsAuthor`. */
  readonly author: string;
  readonly showsAuthor?: boolean;
  readonly at?: Date | undefined;
  readonly language?: string;
  readonly ticks?: { readonly status: Ticks; readonly label: string } | undefined;
  /** Words beside the time, such as "edited", or a channel. */
  readonly remark?: ComponentChildren;
}

/** One message. Put it into an element with the role `log`, or a list. */
export function Bubble({ side, children, author, showsAuthor, at, language, ticks, remark }: BubbleProps) {
  return (
    <article class="k-bubble" data-side={side}>
      <span class={showsAuthor ? "k-author" : "k-aside"}>{author}</span>
      {children}
      {(at || ticks || remark) && (
        <span class="k-meta">
          {remark}
          {at && <time dateTime={at.toISOString()}>{timeOf(at, language)}</time>}
          {ticks && (
            <span data-status={ticks.status} title={ticks.label}>
              <Icon of={ICONS[ticks.status]} />
              <span class="k-aside">{ticks.label}</span>
            </span>
          )}
        </span>
      )}
    </article>
  );
}

/** By language: making one takes as long as drawing a message. */
const formats = new Map<string | undefined, Intl.DateTimeFormat>();

function timeOf(at: Date, language: string | undefined): string {
  if (!formats.has(language))
    formats.set(language, new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" }));
  return formats.get(language)!.format(at);
}
