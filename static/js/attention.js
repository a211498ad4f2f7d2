/** Whether somebody looks at this page. */
export const isAttentive = () => !document.hidden && document.hasFocus();

/** Call `told` with whether somebody looks, whenever that may have changed. */
export function onAttention(told) {
  for (const name of ["focus", "blur", "pagehide"]) {
    window.addEventListener(name, () => told(name !== "pagehide" && isAttentive()));
  }
  document.addEventListener("visibilitychange", () => told(isAttentive()));
}
