// Decides whether audio and video are loaded again after a failure.

/** A position that fails again within this time cannot be loaded. */
const MIN_INTERVAL_MS = 10_000;

/** Failures this close to each other are at one position: a damaged file plays on a little before it fails again. */
const TOLERANCE_SECONDS = 1;

/** @typedef {{position: number, time: number}} Failure the position in seconds, and when it was, in milliseconds */

/**
 * Return whether to load a player again.
 *
 * @param {Failure} failure
 * @param {Failure | undefined} last the failure after which it was loaded again, if there was one
 */
export function isLoadedAgain(failure, last) {
  if (!last) return true;
  const hasMoved = Math.abs(failure.position - last.position) >= TOLERANCE_SECONDS;
  return hasMoved || failure.time - last.time >= MIN_INTERVAL_MS;
}
