import { useSignal } from "@preact/signals";
import { SmilePlus } from "lucide";
import { Icon } from "../components/icon.tsx";
import { words } from "./words.ts";

const EMOJI = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

export interface ReactProps {
  /** The reaction of whoever looks at the page; undefined: none. */
  readonly own: string | undefined;
  /** `null` takes it back. */
  readonly onReact: (emoji: string | null) => void;
}

/** A small button beside a message, and the reactions to choose from. */
export function React({ own, onReact }: ReactProps) {
  const isOpen = useSignal(false);
  const choose = (emoji: string) => {
    isOpen.value = false;
    onReact(emoji === own ? null : emoji);
  };
  const close = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen.value) return;
    event.stopPropagation();
    isOpen.value = false;
  };
  return (
    <fieldset class="k-react" aria-label={words.say("react")} onKeyDown={close}>
      <button
        type="button"
        aria-expanded={isOpen.value}
        aria-label={words.say("react")}
        title={words.say("react")}
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        <Icon of={SmilePlus} />
      </button>
      {isOpen.value &&
        EMOJI.map((emoji) => (
          <button key={emoji} type="button" aria-pressed={emoji === own} onClick={() => choose(emoji)}>
            {emoji}
          </button>
        ))}
    </fieldset>
  );
}
