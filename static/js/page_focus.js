// Reports whether the page is visible and focused.

/** Name of the event on the window before another page is shown in it. */
export const PAGE_LEFT = "page:left";

export const isPageFocused = () => !document.hidden && document.hasFocus();

/**
 * Call `listener` whenever the focus of the page may have changed.
 *
 * @param {(isFocused: boolean) => void} listener
 * @param {AbortSignal} signal
 */
export function onPageFocusChange(listener, signal) {
  for (const name of ["focus", "blur"]) window.addEventListener(name, () => listener(isPageFocused()), { signal });
  for (const name of ["pagehide", PAGE_LEFT]) window.addEventListener(name, () => listener(false), { signal });
  document.addEventListener("visibilitychange", () => listener(isPageFocused()), { signal });
}

/**
 * Call `listener` when the page may have missed events: it was hidden or not focused, or the network was lost.
 *
 * @param {() => void} listener
 * @param {AbortSignal} [signal]
 */
export function onPageReturn(listener, signal) {
  window.addEventListener("focus", () => listener(), { signal });
  window.addEventListener("online", () => listener(), { signal });
  document.addEventListener("visibilitychange", () => document.hidden || listener(), { signal });
}
