import { useSignal } from "@preact/signals";
import { FileText } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../components/button.tsx";
import { Icon } from "../components/icon.tsx";
import { Link } from "./link.tsx";
import { words } from "./words.ts";

export interface FileViewProps {
  readonly kind: "image" | "sticker" | "video" | "audio" | "voice" | "document";
  readonly label: string;
  /** Said instead of the label by those who cannot see a picture. */
  readonly alt?: string | undefined;
  /** Where the page may load it without credentials. */
  readonly url?: string | undefined;
  /** Reads it with credentials: if there is no `url`, or if that one has ended. */
  readonly read?: (() => Promise<Blob>) | undefined;
  /** False at a kiosk: a document is named, and cannot be opened. */
  readonly links: boolean;
}

/** A file of a message: a picture, a player, or its name. What cannot be loaded is named. */
export function FileView({ kind, label, alt = label, url, read, links }: FileViewProps) {
  const own = useSignal<string | undefined>(undefined);
  const state = useSignal<"new" | "reading" | "failed">("new");
  const element = useRef<HTMLSpanElement>(null);
  const isPicture = kind === "image" || kind === "sticker";
  const shown = own.value ?? (state.value === "new" ? url : undefined);

  async function load(): Promise<string | undefined> {
    if (own.value || state.value === "reading") return own.value;
    if (!read) {
      state.value = "failed";
      return undefined;
    }
    state.value = "reading";
    try {
      own.value = URL.createObjectURL(await read());
      state.value = "new";
    } catch {
      state.value = "failed";
    }
    return own.value;
  }

  /** A link has ended, or the page's policy refuses it. */
  async function replace(): Promise<void> {
    if (!own.value) await load();
    else {
      own.value = undefined;
      state.value = "failed";
    }
  }

  useEffect(() => () => void (own.value && URL.revokeObjectURL(own.value)), []);
  useEffect(() => {
    if (!isPicture || url || !read) return;
    // A picture far up in the history is not read before somebody scrolls there.
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      seen.disconnect();
      void load();
    });
    seen.observe(element.current!);
    return () => seen.disconnect();
  }, [url]);

  if (shown && isPicture)
    return (
      <img
        class={kind === "sticker" ? "k-sticker" : "k-image"}
        src={shown}
        alt={alt}
        loading="lazy"
        referrerpolicy="no-referrer"
        onError={() => void replace()}
      />
    );
  const player = { controls: true, preload: own.value ? "metadata" : "none", "aria-label": label } as const;
  // A link that has ended: the file is read with the token, and the next press plays it.
  const onError = () => !own.value && void load();
  if (shown && kind === "video") return <video class="k-image" src={shown} {...player} onError={onError} />;
  if (shown && (kind === "audio" || kind === "voice"))
    return <audio class="k-audio" src={shown} {...player} onError={onError} />;
  const save = async () => {
    const address = await load();
    if (!address) return;
    const link = document.createElement("a");
    link.href = address;
    link.download = label;
    link.click();
  };
  const isMine = read !== undefined && state.value !== "failed";
  return (
    <span class="k-file" ref={element}>
      <Icon of={FileText} />
      {isMine && kind === "document" && links ? (
        <Button look="bare" disabled={state.value === "reading"} onClick={save}>
          {label}
        </Button>
      ) : isMine && !isPicture && kind !== "document" ? (
        <Button look="bare" disabled={state.value === "reading"} onClick={() => void load()}>
          {label}
        </Button>
      ) : url && !read ? (
        <Link url={url} links={links} title={label} />
      ) : (
        <span>
          {label}
          {state.value === "failed" && <small class="k-footer"> {words.say("not_loaded")}</small>}
        </span>
      )}
    </span>
  );
}
