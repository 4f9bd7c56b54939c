import type { IconNode } from "lucide";
import { h } from "preact";

/** An icon of the package lucide. It is decoration: the words beside it, or a button's label, say what it means. */
export function Icon({
  of,
  mirrored,
}: {
  readonly of: IconNode /** Turned round in right-to-left pages. */;
  readonly mirrored?: boolean;
}) {
  return (
    <svg
      class="k-icon"
      data-mirrored={mirrored ? "" : undefined}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {of.map(([tag, attributes]) => h(tag, attributes as object))}
    </svg>
  );
}
