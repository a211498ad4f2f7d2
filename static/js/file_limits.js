// Says at once that a chosen file is too large for its form, which the server would refuse with a page of its own.

import { formatSize } from "./core/file_display.js";

export function enableFileLimits() {
  document.addEventListener("change", ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.dataset.maxBytes === undefined) return;
    const limit = Number(target.dataset.maxBytes);
    const isTooLarge = [...(target.files ?? [])].some(({ size }) => size > limit);
    target.setCustomValidity(isTooLarge ? `The file is too large. The limit is ${formatSize(limit)}.` : "");
    target.reportValidity();
  });
}
