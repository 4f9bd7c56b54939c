import { signal } from "@preact/signals";
import { showToast } from "../kit/components/toasts.tsx";
import { call, type Message, Refused, type Reply, type Upload } from "./api.ts";
import {
  catchUp,
  channelFor,
  collision,
  draft,
  editing,
  loadBeside,
  openKey,
  path,
  report,
  take,
  thread,
  users,
} from "./state.ts";
import { words } from "./words.ts";

const TRIES = 3;
const PAUSE_MS = 500;
/** After these times a reply's ticks are read again. */
const TICKS_MS = [700, 3_000, 10_000];

/** Files that go with the next reply. */
export const attached = signal<readonly Upload[]>([]);
/** How many files are on their way to the hub. */
export const uploading = signal(0);
/** Whether marks such as **bold** are read as such. */
export const isMarked = signal(false);

export interface Sending {
  /** Also if somebody has answered since this page looked. */
  readonly anyway?: boolean;
  /** It is what the composer holds, which is empty then. What could not be sent stays there. */
  readonly isWritten?: boolean;
}

/** Sends replies. Returns whether they are saved. */
export async function reply(
  replies: readonly Reply[],
  { anyway, isWritten }: Sending = {},
): Promise<boolean> {
  const before = draft.value;
  const key = crypto.randomUUID();
  const opened = openKey.value;
  // Somebody may open another conversation while this one is sent.
  const to = path("/messages");
  const seen = thread.value.at(-1)?.seq ?? 0;
  if (isWritten) draft.value = "";
  const channel = channelFor.value;
  const body = { replies, ...(!anyway && { seen }), ...(channel !== undefined && { channel }) };
  for (let tries = 1; ; tries++) {
    try {
      await call(to, { body, key });
      break;
    } catch (error) {
      if (error instanceof Refused && error.code === "offline" && tries < TRIES) {
        await new Promise((go) => setTimeout(go, PAUSE_MS * tries));
        continue;
      }
      if (isWritten && openKey.value === opened) draft.value = before;
      if (error instanceof Refused && error.code === "answered_since")
        collision.value = {
          name: error.details.user?.name ?? words.say("bot"),
          replies,
          isWritten: isWritten ?? false,
        };
      else if (error instanceof Refused && error.code === "offline") showToast(words.say("notSent"));
      else if (error instanceof Refused && error.code === "malformed") showToast(words.say("channelRefuses"));
      else report(error);
      return false;
    }
  }
  await Promise.all([catchUp(), loadBeside()]).catch(report);
  // Whoever has sent something wants to see it, also from further up.
  const log = document.querySelector(".desk-thread .k-log");
  requestAnimationFrame(() => log?.scrollTo({ top: log.scrollHeight }));
  for (const ms of TICKS_MS) setTimeout(() => openKey.value === opened && void catchUp().catch(() => {}), ms);
  return true;
}

export async function addNote(text: string): Promise<void> {
  const mentions = users.value.filter(({ name }) => text.includes(`@${name}`)).map(({ user_id }) => user_id);
  try {
    await call(path("/notes"), { body: { text, mentions } });
    draft.value = "";
    await loadBeside();
  } catch (error) {
    report(error);
  }
}

/** Uploads files, which wait for the next reply. */
export async function attach(files: Iterable<File>): Promise<void> {
  for (const file of files) {
    const upload = await uploaded(file, file.name);
    if (upload) attached.value = [...attached.value, upload];
  }
}

/** Uploads a file. Says why if the hub does not take it. */
export async function uploaded(file: Blob, name: string): Promise<Upload | undefined> {
  uploading.value++;
  try {
    const query = new URLSearchParams({ name });
    return (await call<{ upload: Upload }>(`/api/media?${query}`, { file })).upload;
  } catch (error) {
    const code = error instanceof Refused ? error.code : "";
    if (code === "payload_too_large") showToast(words.say("fileTooLarge", { name }));
    else if (code === "media_type_refused" || code === "media_infected")
      showToast(words.say("fileRefused", { name }));
    else if (code === "needs_storage") showToast(words.say("noStorage"));
    else report(error);
    return undefined;
  } finally {
    uploading.value--;
  }
}

/** Sends what is written, with the files that wait: the text is the caption of the first, or a message of its own. */
export async function sendWritten(text: string): Promise<void> {
  const format = isMarked.value ? { format: "markdown" } : {};
  const files = attached.value;
  const canCaption = files.length === 1 && text !== "";
  const replies: Reply[] = files.map(({ upload, kind }) => ({
    kind,
    media: { upload },
    ...(canCaption && { caption: text, ...format }),
  }));
  if (text !== "" && !canCaption) replies.push({ kind: "text", text, ...format });
  if (await reply(replies, { isWritten: true })) attached.value = [];
}

/** Saves the edit of an own message. */
export async function saveEdit(text: string): Promise<void> {
  const { message_id } = editing.value!;
  const body = { text, ...(isMarked.value && { format: "markdown" }) };
  if (await changed(message_id, { method: "PATCH", body })) {
    editing.value = undefined;
    draft.value = "";
  }
}

export const remove = ({ message_id }: Message) => changed(message_id, { method: "DELETE" });

/** Reacts to a message; `null` takes the reaction back. */
export function react({ message_id }: Message, emoji: string | null): Promise<boolean> {
  const how = emoji === null ? { method: "DELETE" } : { method: "PUT", body: { emoji } };
  return changed(`${message_id}/reaction`, how);
}

async function changed(of: string, how: { method: string; body?: object }): Promise<boolean> {
  try {
    const { message } = await call<{ message: Message }>(`/api/messages/${of}`, how);
    take([message]);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.code === "not_changeable") showToast(words.say("notChangeable"));
    else report(error);
    return false;
  }
}
