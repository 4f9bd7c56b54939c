import type { ComponentChildren } from "preact";
import type { Bubble, DeviceName, Mark } from "../../dev/simulator/model.ts";
import { Marked } from "../kit/components/marked.tsx";

const WHATSAPP =
  /\*([^\s*](?:[^*\n]*[^\s*])?)\*|_([^\s_](?:[^_\n]*[^\s_])?)_|~([^\s~](?:[^~\n]*[^\s~])?)~|```([\s\S]+?)```|`([^`\n]+)`/;

/** A text with its marks, as its platform reads them: Telegram's entities, WhatsApp's signs, the hub's own on a page. */
export function BubbleText({ device, bubble }: { readonly device: DeviceName; readonly bubble: Bubble }) {
  const { text, marks } = bubble;
  if (!text) return null;
  if (device === "kiosk" || device === "web")
    return (
      <Marked
        text={text}
        format={bubble.by === "hub" && bubble.format === "markdown" ? "markdown" : "plain"}
        links={device === "web"}
      />
    );
  return (
    <div class="k-text" dir="auto">
      {device === "telegram" ? marked(text, marks ?? []) : signed(text)}
    </div>
  );
}

/** Telegram's entities may nest: each position has the marks that cover it. */
function marked(text: string, marks: readonly Mark[]): ComponentChildren {
  const cuts = [
    ...new Set([0, text.length, ...marks.flatMap(({ offset, length }) => [offset, offset + length])]),
  ].sort((a, b) => a - b);
  return cuts.slice(0, -1).map((from, i) => {
    const piece = text.slice(from, cuts[i + 1]);
    const on = marks.filter(({ offset, length }) => offset <= from && from < offset + length);
    return on.reduce<ComponentChildren>((inner, mark) => dressed(mark.type, inner, mark.url), piece);
  });
}

function signed(text: string): ComponentChildren {
  const found = WHATSAPP.exec(text);
  if (!found) return text;
  const [whole, bold, italic, strike, pre, code] = found;
  const type = bold ? "bold" : italic ? "italic" : strike ? "strikethrough" : pre ? "pre" : "code";
  const inner = bold ?? italic ?? strike ?? pre ?? code ?? "";
  return [
    text.slice(0, found.index),
    dressed(type, type === "code" || type === "pre" ? inner : signed(inner)),
    signed(text.slice(found.index + whole.length)),
  ];
}

function dressed(type: string, inner: ComponentChildren, url?: string): ComponentChildren {
  switch (type) {
    case "bold":
      return <strong>{inner}</strong>;
    case "italic":
      return <em>{inner}</em>;
    case "strikethrough":
      return <s>{inner}</s>;
    case "underline":
      return <u>{inner}</u>;
    case "code":
      return <code>{inner}</code>;
    case "pre":
      return <pre>{inner}</pre>;
    case "text_link":
      return (
        <a href={url ?? "#"} target="_blank" rel="noopener noreferrer nofollow">
          {inner}
        </a>
      );
    default:
      return inner;
  }
}
