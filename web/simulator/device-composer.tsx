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
import { VoiceRecorder } from "../kit/components/voice-recorder.tsx";
import { kindOfFile } from "../kit/file-kind.ts";
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
  const speaksSince = useSignal<number | undefined>(undefined);
  const write = async (text: string) => {
    draft.value = "";
    const reply = to && { reply_to: to.id };
    onDone();
    if (!(await act({ do: "write", device, text, ...reply }))) draft.value = text;
  };
  if (speaksSince.value !== undefined)
    return (
      <VoiceRecorder
        since={speaksSince.value}
        dropLabel={say("voiceDrop")}
        sendLabel={say("voiceSend")}
        onDrop={() => (speaksSince.value = undefined)}
        onSend={() => {
          speaksSince.value = undefined;
          void act({ do: "media", device, kind: "voice" });
        }}
      />
    );
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
        <IconButton label={say("voice")} onClick={() => (speaksSince.value = Date.now())}>
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
    const query = new URLSearchParams({ type: file.type || "application/octet-stream", name: file.name });
    const given = await call<{ file: string }>(`files?${query}`, file);
    if (given) await act({ do: "media", device, kind: kindOfFile(file.type), file: given.file });
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
