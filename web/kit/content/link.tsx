import type { ComponentChildren } from "preact";
import { words } from "./words.ts";

/** A link that opens in a new window; with `links` false the address is shown, and opens nothing. */
export function Link({
  url,
  title,
  links,
}: {
  readonly url: string;
  readonly title: ComponentChildren;
  readonly links: boolean;
}) {
  if (!links)
    return (
      <span>
        {title}
        {title !== url && ` (${url})`}
      </span>
    );
  return (
    <a class="k-link" href={url} target="_blank" rel="noopener noreferrer nofollow">
      {title}
      <span class="k-aside"> ({words.say("opens_new")})</span>
    </a>
  );
}
