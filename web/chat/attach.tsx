import type { Signal } from "@preact/signals";
import { Mic, Paperclip } from "lucide";
import { useMemo, useRef } from "preact/hooks";
import { IconButton } from "../kit/components/button.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { VoiceRecorder } from "../kit/components/voice-recorder.tsx";
import { canRecord, type Recording, recordVoice } from "../kit/record-voice.ts";
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
      {canRecord() && (
        <IconButton label={texts.say("record")} onClick={record}>
          <Icon of={Mic} />
        </IconButton>
      )}
    </>
  );
}

/** Takes the place of the text while a voice message is recorded. */
export function Recorder({ visit, recording }: Omit<AttachProps, "problem">) {
  const since = useMemo(() => Date.now(), []);
  const drop = () => {
    void recording.value?.end();
    recording.value = undefined;
  };
  const send = async () => {
    const blob = await recording.value?.end();
    recording.value = undefined;
    if (blob) visit.files.add(blob, `${texts.say("voice_name")}.${blob.type.split("/")[1]}`, true);
  };
  return (
    <VoiceRecorder
      since={since}
      dropLabel={texts.say("record_cancel")}
      sendLabel={texts.say("record_send")}
      onDrop={drop}
      onSend={() => void send()}
    />
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
