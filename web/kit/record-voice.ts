/** What browsers record, the most widely played first: WhatsApp and Telegram take OGG, and M4A as a sound. */
const TYPES = ["audio/ogg;codecs=opus", "audio/mp4", "audio/webm;codecs=opus"];

/** A voice message that is being recorded. */
export interface Recording {
  /** Ends it. Returns what was said. */
  stop(): Promise<Blob>;
  /** Ends it and forgets what was said. */
  drop(): void;
}

export const canRecord = () => typeof MediaRecorder === "function" && navigator.mediaDevices !== undefined;

/** Begins to record. Throws if there is no microphone, or the person does not allow it. */
export async function recordVoice(): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, { ...(mimeType !== undefined && { mimeType }) });
  const chunks: Blob[] = [];
  recorder.ondataavailable = ({ data }) => void chunks.push(data);
  recorder.start();
  const release = () => {
    for (const track of stream.getTracks()) track.stop();
  };
  return {
    stop: () =>
      new Promise((done) => {
        recorder.onstop = () => {
          release();
          done(new Blob(chunks, { type: recorder.mimeType.split(";")[0]! }));
        };
        recorder.stop();
      }),
    drop() {
      recorder.stop();
      release();
    },
  };
}
