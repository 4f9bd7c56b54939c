import type { ComponentChildren } from "preact";
import { readMarkup, type Span } from "../../../src/core/content/markup.ts";

export interface MarkedProps {
  readonly text: string;
  readonly format?: "plain" | "markdown" | undefined;
  /** False: addresses are shown, and open nothing. A kiosk must not lead away. */
  readonly links?: boolean;
}

/** A text of a message. Markdown is read by the hub's own subset; HTML is never read. */
export function Marked({ text, format, links = true }: MarkedProps) {
  const spans = format === "markdown" ? readMarkup(text) : [{ text }];
  return (
    <div class="k-text" dir="auto">
      {spans.map((span) => marked(span, links))}
    </div>
  );
}

function marked({ text, bold, italic, strike, code, pre, url }: Span, links: boolean): ComponentChildren {
  if (pre) return <pre>{text}</pre>;
  let shown: ComponentChildren = text;
  if (code) shown = <code>{shown}</code>;
  if (strike) shown = <s>{shown}</s>;
  if (italic) shown = <em>{shown}</em>;
  if (bold) shown = <strong>{shown}</strong>;
  if (url && links)
    shown = (
      <a href={url} target="_blank" rel="noopener noreferrer nofollow">
        {shown}
      </a>
    );
  return shown;
}
