// The sound of a new message: two short notes.

const NOTES_HZ = [660, 880];
const NOTE_SECONDS = 0.12;
const VOLUME = 0.12;

/** @type {AudioContext | null} */
let context = null;

/** Play the sound. Browsers refuse as long as the person has neither clicked nor typed on the page. */
export function playSound() {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume().catch(() => {});
  NOTES_HZ.forEach((frequency, index) => {
    if (!context) return;
    const start = context.currentTime + index * NOTE_SECONDS;
    const [oscillator, volume] = [context.createOscillator(), context.createGain()];
    oscillator.frequency.value = frequency;
    volume.gain.setValueAtTime(VOLUME, start);
    // Without the fade, the end of each note would click.
    volume.gain.exponentialRampToValueAtTime(0.001, start + NOTE_SECONDS);
    oscillator.connect(volume).connect(context.destination);
    oscillator.start(start);
    oscillator.stop(start + NOTE_SECONDS);
  });
}
