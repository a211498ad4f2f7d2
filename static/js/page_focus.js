// Reports whether the page is visible and focused.

export const isPageFocused = () => !document.hidden && document.hasFocus();

/**
 * Call `listener` whenever the focus of the page may have changed.
 *
 * @param {(isFocused: boolean) => void} listener
 */
export function onPageFocusChange(listener) {
  for (const name of ["focus", "blur", "pagehide"]) {
    window.addEventListener(name, () => listener(name !== "pagehide" && isPageFocused()));
  }
  document.addEventListener("visibilitychange", () => listener(isPageFocused()));
}

/**
 * Call `listener` when the page may have missed events: it was hidden or not focused, or the network was lost.
 *
 * @param {() => void} listener
 */
export function onPageReturn(listener) {
  window.addEventListener("focus", () => listener());
  window.addEventListener("online", () => listener());
  document.addEventListener("visibilitychange", () => document.hidden || listener());
}
