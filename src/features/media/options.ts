import { type MediaLinks, mediaLinks } from "./links.ts";

/** How the hub gives out files. */
export interface MediaOptions {
  readonly links: MediaLinks;
  /** The most bytes of a file that it passes on. */
  readonly maxBytes: number;
}

/** Without settings: no signed links, and files of up to 100 MB. */
const DEFAULT_MEDIA: MediaOptions = {
  links: mediaLinks([], undefined),
  maxBytes: 100 * 1024 * 1024,
};

/** The hub's settings of files. */
export function mediaOf({ media = DEFAULT_MEDIA }: { readonly media?: MediaOptions }): MediaOptions {
  return media;
}
