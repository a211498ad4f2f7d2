// Exponential back-off with jitter.

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 15_000;

/** @param {number} milliseconds */
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Return the delay before the next attempt, in milliseconds. The jitter keeps many browsers from retrying at once.
 *
 * @param {number} failures attempts that have failed in a row, at least 1
 */
export function backoffDelay(failures, maxDelayMs = MAX_DELAY_MS) {
  const delay = Math.min(FIRST_DELAY_MS * 2 ** (failures - 1), maxDelayMs);
  return delay * (0.5 + Math.random() / 2);
}
