// Audio and video whose loading has failed go on at their position. With an origin of files, the URL to which the server
// has redirected a player expires, and the player asks for later parts there: it has to begin at the server again.

import { isLoadedAgain } from "./core/media_failures.js";

/** @import { Failure } from "./core/media_failures.js" */

/** @type {WeakSet<HTMLMediaElement>} players that were able to play since they were loaded */
const playable = new WeakSet();

/** @type {WeakMap<HTMLMediaElement, Failure>} the failures after which players were loaded again */
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
  const { currentTime: position, playbackRate, paused } = media;
  const failure = { position, time };
  if (!isLoadedAgain(failure, resumed.get(media))) return;
  resumed.set(media, failure);
  media.load();
  // Loading has reset both.
  media.currentTime = position;
  media.playbackRate = playbackRate;
  if (!paused) media.play().catch(() => null);
}
