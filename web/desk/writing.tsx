import { useSignal } from "@preact/signals";
import { Bold, Code, Italic, Link2, Mic, Paperclip, Strikethrough, Type, X } from "lucide";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Composer } from "../kit/components/composer.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { later } from "../kit/components/later.tsx";
import { Marked } from "../kit/components/marked.tsx";
import { showToast } from "../kit/components/toasts.tsx";
import { VoiceRecorder } from "../kit/components/voice-recorder.tsx";
import { canRecord, type Recording, recordVoice } from "../kit/record-voice.ts";
import type { Canned } from "./api.ts";
import { MoreKinds } from "./more-kinds.tsx";
import {
  addNote,
  attach,
  attached,
  isMarked,
  reply,
  saveEdit,
  sendWritten,
  uploaded,
  uploading,
} from "./sending.ts";
import { beside, canned, channelFor, draft, editing, mode, target, type } from "./state.ts";
import { words } from "./words.ts";

const TemplateDialog = later(async () => (await import("./template-dialog.tsx")).TemplateDialog);
const SHOWN = 8;
const MARKS = [
  ["bold", Bold, "**"],
  ["italic", Italic, "_"],
  ["strike", Strikethrough, "~~"],
  ["code", Code, "`"],
] as const;

/** Where replies and notes are written, with files, voice and all other kinds. */
export function Writing() {
  const { say } = words;
  const voice = useSignal<{ since: number; recording: Recording } | undefined>(undefined);
  const isNote = mode.value === "note";
  if (voice.value) {
    const { since, recording } = voice.value;
    const end = () => (voice.value = undefined);
    return (
      <VoiceRecorder
        since={since}
        dropLabel={say("voiceDrop")}
        sendLabel={say("voiceSend")}
        onDrop={() => {
          void recording.end();
          end();
        }}
        onSend={async () => {
          end();
          const upload = await uploaded(await recording.end(), "voice");
          if (upload) await reply([{ kind: "voice", media: { upload: upload.upload } }]);
        }}
      />
    );
  }
  const speak = async () => {
    try {
      voice.value = { recording: await recordVoice(), since: Date.now() };
    } catch {
      showToast(say("noMicrophone"));
    }
  };
  return (
    <section
      class="desk-writing"
      data-mode={mode.value}
      aria-label={say(isNote ? "note" : "reply")}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        if (!isNote) void attach(event.dataTransfer?.files ?? []);
      }}
      onPaste={(event) => {
        const files = event.clipboardData?.files;
        if (isNote || !files?.length) return;
        event.preventDefault();
        void attach(files);
      }}
    >
      <Modes />
      {editing.value && <Editing />}
      {!isNote && target.value.isClosed && !editing.value ? (
        <Closed />
      ) : (
        <>
          {!isNote && <CannedMatches />}
          {!isNote && isMarked.value && <Formatting />}
          {!isNote && (attached.value.length > 0 || uploading.value > 0) && <Attached />}
          <Composer
            label={say(isNote ? "writeNote" : "writeReply")}
            sendLabel={say(editing.value ? "save" : "send")}
            value={draft.value}
            maxLength={10_000}
            allowsEmpty={!isNote && attached.value.length > 0 && uploading.value === 0}
            onInput={type}
            onSend={(text) => {
              const [match] = matches();
              if (isNote) void addNote(text);
              else if (editing.value) void saveEdit(text);
              else if (match) pick(match);
              else if (uploading.value === 0) void sendWritten(text);
            }}
          >
            {!isNote && (
              <>
                <MoreKinds />
                <FileButton />
                {!editing.value && canRecord() && draft.value === "" && attached.value.length === 0 && (
                  <IconButton label={say("voice")} onClick={() => void speak()}>
                    <Icon of={Mic} />
                  </IconButton>
                )}
              </>
            )}
          </Composer>
        </>
      )}
    </section>
  );
}

/** Reply or note, the channel of the reply, and marks. */
function Modes() {
  const { say } = words;
  const channels = [
    ...new Set([
      ...(beside.value?.conversation.channel ? [beside.value.conversation.channel] : []),
      ...(beside.value?.addresses.map(({ channel }) => channel) ?? []),
    ]),
  ];
  return (
    <div class="desk-modes">
      {(["reply", "note"] as const).map((one) => (
        <button
          key={one}
          type="button"
          class="k-button"
          data-look="bare"
          aria-pressed={mode.value === one}
          onClick={() => {
            if (editing.value) draft.value = "";
            editing.value = undefined;
            mode.value = one;
          }}
        >
          {say(one)}
        </button>
      ))}
      {mode.value === "reply" && channels.length > 1 && !editing.value && (
        <select
          class="k-input"
          aria-label={say("channelFor")}
          value={target.value.channel}
          onChange={(event) => (channelFor.value = event.currentTarget.value)}
        >
          {channels.map((channel) => (
            <option key={channel} value={channel}>
              {channel}
            </option>
          ))}
        </select>
      )}
      {mode.value === "reply" && !target.value.isClosed && (
        <IconButton
          label={say("formatting")}
          aria-pressed={isMarked.value}
          onClick={() => (isMarked.value = !isMarked.value)}
        >
          <Icon of={Type} />
        </IconButton>
      )}
    </div>
  );
}

/** The channel takes only templates until the customer writes. */
function Closed() {
  const { say } = words;
  const chooses = useSignal(false);
  return (
    <div class="desk-closed" role="note">
      <span>{say("windowClosed", { channel: target.value.channel ?? "" })}</span>
      <Button onClick={() => (chooses.value = true)}>{say("chooseTemplate")}</Button>
      {chooses.value && <TemplateDialog onClose={() => (chooses.value = false)} />}
    </div>
  );
}

function Editing() {
  return (
    <div class="desk-editing">
      <span>{words.say("editing")}</span>
      <IconButton
        label={words.say("cancel")}
        onClick={() => {
          editing.value = undefined;
          draft.value = "";
        }}
      >
        <Icon of={X} />
      </IconButton>
    </div>
  );
}

const matches = (): readonly Canned[] =>
  mode.value === "reply" && !editing.value && draft.value.startsWith("/")
    ? canned.value.filter(({ shortcut }) => shortcut.startsWith(draft.value.slice(1))).slice(0, SHOWN)
    : [];

/** Puts a canned reply into the composer, or sends it if it is more than a text. */
function pick({ replies }: Canned): void {
  const name = beside.value?.customer.name ?? "";
  const filled = replies.map((one) =>
    one.text === undefined ? one : { ...one, text: one.text.replaceAll("{name}", name) },
  );
  const [only] = filled;
  if (filled.length === 1 && only?.kind === "text") draft.value = only.text ?? "";
  else void reply(filled, { isWritten: true });
}

function CannedMatches() {
  const found = matches();
  if (found.length === 0) return null;
  return (
    <ul class="desk-canned" aria-label={words.say("canned")}>
      {found.map((one) => (
        <li key={one.shortcut}>
          <button type="button" class="k-row" onClick={() => pick(one)}>
            <code>/{one.shortcut}</code> {one.title}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Buttons that put marks around what is chosen, and how the text will look. */
function Formatting() {
  const around = (before: string, after = before) => {
    const field = document.querySelector<HTMLTextAreaElement>(".desk-writing textarea");
    if (!field) return;
    const { selectionStart: from, selectionEnd: to, value } = field;
    draft.value = value.slice(0, from) + before + value.slice(from, to) + after + value.slice(to);
    field.focus();
    requestAnimationFrame(() => field.setSelectionRange(from + before.length, to + before.length));
  };
  return (
    <>
      <div class="desk-marks" role="toolbar" aria-label={words.say("formatting")}>
        {MARKS.map(([name, icon, mark]) => (
          <IconButton key={name} label={words.say(name)} onClick={() => around(mark)}>
            <Icon of={icon} />
          </IconButton>
        ))}
        <IconButton label={words.say("link")} onClick={() => around("[", "](https://)")}>
          <Icon of={Link2} />
        </IconButton>
      </div>
      {draft.value.trim() !== "" && (
        <div class="desk-preview" aria-label={words.say("preview")} role="note">
          <Marked text={draft.value} format="markdown" />
        </div>
      )}
    </>
  );
}

function Attached() {
  return (
    <ul class="desk-attached" aria-label={words.say("files")}>
      {attached.value.map(({ upload, file_name, kind, size }) => (
        <li key={upload}>
          <bdi>{file_name ?? kind}</bdi>
          <small>{sizeOf(size)}</small>
          <IconButton
            label={words.say("removeFile", { name: file_name ?? kind })}
            onClick={() => (attached.value = attached.value.filter((one) => one.upload !== upload))}
          >
            <Icon of={X} />
          </IconButton>
        </li>
      ))}
      {uploading.value > 0 && <li role="status">{words.say("uploading")}</li>}
    </ul>
  );
}

const sizeOf = (bytes: number) =>
  (bytes / 1024).toLocaleString(words.language, {
    style: "unit",
    unit: "kilobyte",
    maximumFractionDigits: 0,
  });

function FileButton() {
  if (editing.value) return null;
  return (
    <label class="k-button desk-file" data-look="bare" data-icon="" title={words.say("attach")}>
      <Icon of={Paperclip} />
      <span class="k-aside">{words.say("attach")}</span>
      <input
        class="k-aside"
        type="file"
        multiple
        onChange={(event) => {
          const input = event.currentTarget;
          void attach([...(input.files ?? [])]);
          input.value = "";
        }}
      />
    </label>
  );
}
