import { type Signal, useSignal } from "@preact/signals";
import { Mic, Paperclip, Trash2 } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { type Recording, recordVoice } from "../kit/record-voice.ts";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

/** What a file dialog offers first. The hub looks at the bytes and decides. */
const TYPES = "image/*,audio/*,video/*,application/pdf,text/plain,.docx,.xlsx,.pptx,.odt,.ods,.odp";

export interface AttachProps {
  readonly visit: Visit;
  /** The voice message that is being recorded. */
  readonly recording: Signal<Recording | undefined>;
  readonly problem: Signal<string>;
}

/** The buttons beside the text: a file, and a voice message. */
export function Attach({ visit, recording, problem }: AttachProps) {
  const input = useRef<HTMLInputElement>(null);
  const record = async () => {
    problem.value = "";
    try {
      recording.value = await recordVoice();
    } catch {
      problem.value = texts.say("no_microphone");
    }
  };
  return (
    <>
      <input
        ref={input}
        class="k-aside"
        type="file"
        multiple
        accept={TYPES}
        tabIndex={-1}
        aria-label={texts.say("attach")}
        onChange={({ currentTarget }) => {
          for (const file of currentTarget.files ?? []) visit.files.add(file, file.name);
          currentTarget.value = "";
        }}
      />
      <IconButton label={texts.say("attach")} onClick={() => input.current?.click()}>
        <Icon of={Paperclip} />
      </IconButton>
      {"MediaRecorder" in globalThis && (
        <IconButton label={texts.say("record")} onClick={record}>
          <Icon of={Mic} />
        </IconButton>
      )}
    </>
  );
}

/** Takes the place of the text while a voice message is recorded. */
export function Recorder({ visit, recording }: Omit<AttachProps, "problem">) {
  const seconds = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => seconds.value++, 1_000);
    return () => clearInterval(timer);
  }, []);
  const end = async (isSent: boolean) => {
    const { value } = recording;
    recording.value = undefined;
    const blob = await value?.end();
    if (isSent && blob)
      visit.files.add(blob, `${texts.say("voice_name")}.${blob.type.split(/[/;]/)[1]}`, true);
  };
  const { value } = seconds;
  return (
    <div class="recorder">
      <IconButton label={texts.say("record_cancel")} onClick={() => void end(false)}>
        <Icon of={Trash2} />
      </IconButton>
      <span role="timer" aria-label={texts.say("recording")}>
        {`${Math.floor(value / 60)}:${String(value % 60).padStart(2, "0")}`}
      </span>
      <Button onClick={() => void end(true)}>{texts.say("record_send")}</Button>
    </div>
  );
}

const REASONS: Record<string, "too_large" | "type_refused" | "infected"> = {
  payload_too_large: "too_large",
  media_type_refused: "type_refused",
  media_infected: "infected",
};

/** Why a file was not sent. */
export function reasonOf(code: string): string {
  return texts.say(REASONS[code] ?? "file_failed");
}
