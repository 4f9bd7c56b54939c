let context: AudioContext | undefined;

/** Two short soft tones. A browser plays them only after the visitor has touched the page. */
export function beep(): void {
  context ??= new AudioContext();
  const at = context.currentTime;
  [660, 880].forEach((frequency, i) => {
    const tone = context!.createOscillator();
    const volume = context!.createGain();
    const start = at + i * 0.12;
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(0.06, start);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.11);
    tone.connect(volume).connect(context!.destination);
    tone.start(start);
    tone.stop(start + 0.12);
  });
}
