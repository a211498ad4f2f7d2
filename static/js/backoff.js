const FIRST_DELAY = 500;
const LONGEST_DELAY = 15_000;

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** How long to wait after so many failures in a row; the jitter keeps many browsers from coming back at once. */
export function backOff(failures, longest = LONGEST_DELAY) {
  const delay = Math.min(FIRST_DELAY * 2 ** (failures - 1), longest);
  return delay * (0.5 + Math.random() / 2);
}
