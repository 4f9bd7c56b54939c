import { useSignal } from "@preact/signals";
import { SendHorizontal, Trash2 } from "lucide";
import { useEffect } from "preact/hooks";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";

export interface VoiceRecorderProps {
  /** When the recording began, in ms since 1970. */
  readonly since: number;
  readonly dropLabel: string;
  readonly sendLabel: string;
  readonly onDrop: () => void;
  readonly onSend: () => void;
}

/** A voice message that is being recorded, in the place of the composer. */
export function VoiceRecorder({ since, dropLabel, sendLabel, onDrop, onSend }: VoiceRecorderProps) {
  const seconds = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => {
      seconds.value = Math.floor((Date.now() - since) / 1_000);
    }, 250);
    return () => clearInterval(timer);
  }, [since]);
  return (
    <div class="k-recorder">
      <IconButton label={dropLabel} onClick={onDrop}>
        <Icon of={Trash2} />
      </IconButton>
      <span class="k-wave" aria-hidden="true" />
      <span role="timer">
        {`${Math.floor(seconds.value / 60)}:${String(seconds.value % 60).padStart(2, "0")}`}
      </span>
      <IconButton look="main" label={sendLabel} onClick={onSend}>
        <Icon of={SendHorizontal} mirrored />
      </IconButton>
    </div>
  );
}
