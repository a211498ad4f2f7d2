// Audio and video whose loading has failed go on at their position. With an origin of files, the URL to which the server
// has redirected a player expires, and the player asks for later parts there: it has to begin at the server again.

/** A position that fails again within this time cannot be loaded. */
const MIN_INTERVAL_MS = 10_000;

/** @type {WeakSet<HTMLMediaElement>} players that were able to play since they were loaded */
const playable = new WeakSet();

/** @type {WeakMap<HTMLMediaElement, {position: number, time: number}>} where and when players were loaded again */
const resumed = new WeakMap();

/** Load players again that have failed, wherever they are. */
export function enableMediaResumption() {
  const options = { capture: true };
  document.addEventListener(
    "canplay",
    ({ target }) => target instanceof HTMLMediaElement && playable.add(target),
    options,
  );
  document.addEventListener("error", ({ target, timeStamp }) => resume(target, timeStamp), options);
}

/**
 * @param {EventTarget | null} media
 * @param {number} time
 */
function resume(media, time) {
  if (!(media instanceof HTMLMediaElement) || !playable.delete(media)) return;
  const { currentTime: position, paused } = media;
  const last = resumed.get(media);
  if (last?.position === position && time - last.time < MIN_INTERVAL_MS) return;
  resumed.set(media, { position, time });
  media.load();
  media.currentTime = position;
  if (!paused) media.play().catch(() => null);
}
