import { useSignal } from "@preact/signals";
import {
  Contact,
  FileText,
  Film,
  Image as ImageIcon,
  MapPin,
  Mic,
  Paperclip,
  Upload,
  UserRound,
  X,
} from "lucide";
import type { Act } from "../../dev/simulator/act.ts";
import type { DeviceName } from "../../dev/simulator/model.ts";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Composer } from "../kit/components/composer.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { showToast } from "../kit/components/toasts.tsx";
import { VoiceRecorder } from "../kit/components/voice-recorder.tsx";
import { kindOfFile } from "../kit/file-kind.ts";
import { canRecord, type Recording, recordVoice } from "../kit/record-voice.ts";
import { act, call } from "./state.ts";
import { say, type Word } from "./words.ts";

interface Props {
  readonly name: DeviceName;
  /** The message that is answered. */
  readonly to: { readonly id: string; readonly text: string } | undefined;
  readonly onDone: () => void;
}

/** Where the customer writes, attaches and speaks. */
export function DeviceComposer({ name: device, to, onDone }: Props) {
  const draft = useSignal("");
  const attaches = useSignal(false);
  const speaking = useSignal<{ since: number; recording: Recording | undefined } | undefined>(undefined);
  const speak = async () => {
    // Without a microphone a small recording is sent, so that the device has a voice everywhere.
    const recording = canRecord() ? await recordVoice().catch(() => undefined) : undefined;
    if (!recording) showToast(say("noMicrophone"));
    speaking.value = { since: Date.now(), recording };
  };
  const write = async (text: string) => {
    draft.value = "";
    const reply = to && { reply_to: to.id };
    onDone();
    if (!(await act({ do: "write", device, text, ...reply }))) draft.value = text;
  };
  if (speaking.value) {
    const { since, recording } = speaking.value;
    const end = () => (speaking.value = undefined);
    return (
      <VoiceRecorder
        since={since}
        dropLabel={say("voiceDrop")}
        sendLabel={say("voiceSend")}
        onDrop={() => {
          end();
          void recording?.end();
        }}
        onSend={async () => {
          end();
          const seconds = Math.max(1, Math.round((Date.now() - since) / 1_000));
          const file = recording && (await given(await recording.end(), `voice.${seconds}s`, seconds));
          await act({ do: "media", device, kind: "voice", ...(file && { file }) });
        }}
      />
    );
  }
  return (
    <>
      {to && (
        <p class="s-answering">
          <span dir="auto">{say("replyTo", { text: to.text })}</span>
          <IconButton label={say("cancel")} onClick={onDone}>
            <Icon of={X} />
          </IconButton>
        </p>
      )}
      <Composer
        label={say("write")}
        sendLabel={say("send")}
        value={draft.value}
        maxLength={4_096}
        onInput={(text) => (draft.value = text)}
        onSend={write}
      >
        <IconButton label={say("attach")} onClick={() => (attaches.value = true)}>
          <Icon of={Paperclip} />
        </IconButton>
        <IconButton label={say("voice")} onClick={speak}>
          <Icon of={Mic} />
        </IconButton>
      </Composer>
      {attaches.value && <Attach device={device} onClose={() => (attaches.value = false)} />}
    </>
  );
}

function Attach({ device, onClose }: { readonly device: DeviceName; readonly onClose: () => void }) {
  const choices: readonly [Word, typeof ImageIcon, Act][] = [
    ["picture", ImageIcon, { do: "media", device, kind: "image" }],
    ["video", Film, { do: "media", device, kind: "video" }],
    ["file", FileText, { do: "media", device, kind: "document" }],
    ["ownCard", Contact, { do: "contact", device, own: true }],
    ["otherCard", UserRound, { do: "contact", device, own: false }],
    ["place", MapPin, { do: "location", device }],
  ];
  const sendFile = async (file: File | undefined) => {
    if (!file) return;
    onClose();
    const id = await given(file, file.name);
    if (id) await act({ do: "media", device, kind: kindOfFile(file.type), file: id });
  };
  return (
    <Dialog title={say("attach")} onClose={onClose}>
      <div class="s-menu">
        {choices.map(([word, icon, what]) => (
          <Button
            key={word}
            look="quiet"
            onClick={() => {
              onClose();
              void act(what);
            }}
          >
            <Icon of={icon} />
            {say(word)}
          </Button>
        ))}
        <label class="k-button s-file" data-look="quiet">
          <Icon of={Upload} />
          {say("ownFile")}
          <input
            class="k-aside"
            type="file"
            onChange={(event) => void sendFile(event.currentTarget.files?.[0])}
          />
        </label>
      </div>
      <div class="k-actions">
        <Button look="quiet" onClick={onClose}>
          {say("close")}
        </Button>
      </div>
    </Dialog>
  );
}

/** Gives a file to the simulator. Returns its id there. */
async function given(file: Blob, name: string, seconds?: number): Promise<string | undefined> {
  const query = new URLSearchParams({
    ...{ type: file.type || "application/octet-stream", name },
    ...(seconds && { seconds: String(seconds) }),
  });
  return (await call<{ file: string }>(`files?${query}`, file))?.file;
}
