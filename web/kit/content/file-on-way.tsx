import { FileText } from "lucide";
import { Icon } from "../components/icon.tsx";
import type { FileOnWay as File } from "../conversation.ts";

/** A file that is being uploaded, with how far it has come. */
export function FileOnWay({ file: { kind, name, url, part } }: { readonly file: File }) {
  return (
    <>
      {kind === "image" ? (
        <img class="k-image" src={url} alt={name} />
      ) : kind === "audio" ? (
        <audio class="k-audio" src={url} controls aria-label={name} />
      ) : (
        <span class="k-file">
          <Icon of={FileText} />
          {name}
        </span>
      )}
      {part > 0 && part < 1 && <progress class="k-progress" value={part} aria-label={name} />}
    </>
  );
}
