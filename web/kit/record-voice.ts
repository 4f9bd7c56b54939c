/** What browsers record, the most widely played first: WhatsApp and Telegram take OGG, and M4A as a sound. */
const TYPES = ["audio/ogg;codecs=opus", "audio/mp4", "audio/webm;codecs=opus"];
/** A recording that nobody ends is cut off here, in ms. It is far below the hub's limit for a file. */
const LONGEST_MS = 10 * 60_000;

/** A voice message that is being recorded. */
export interface Recording {
  /** Ends it, and turns the microphone off. */
  end(): Promise<Blob>;
}

/** Whether the browser can record; whether the person permits it is another matter. */
export const canRecord = () => typeof MediaRecorder === "function" && navigator.mediaDevices !== undefined;

/** Begins to record. Rejects if the person or the page's policy does not permit the microphone. */
export async function recordVoice(): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, { ...(mimeType !== undefined && { mimeType }) });
  const pieces: Blob[] = [];
  recorder.addEventListener("dataavailable", ({ data }) => pieces.push(data));
  const ended = new Promise<Blob>((resolve) =>
    recorder.addEventListener("stop", () =>
      resolve(new Blob(pieces, { type: recorder.mimeType.split(";")[0]! })),
    ),
  );
  const end = () => {
    clearTimeout(late);
    if (recorder.state !== "inactive") recorder.stop();
    for (const track of stream.getTracks()) track.stop();
    return ended;
  };
  const late = setTimeout(end, LONGEST_MS);
  recorder.start();
  return { end };
}
