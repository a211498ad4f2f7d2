// Buttons that copy the text of a field.

import { find, findAll } from "./dom.js";

/** @param {ParentNode} root */
export function enableCopyButtons(root) {
  for (const button of findAll(root, "[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = find(document, `#${button.dataset.copy}`, HTMLInputElement);
      field.focus();
      field.select();
      button.textContent = (await copy(field.value)) ? "Copied" : "Press Ctrl + C";
    });
  }
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain HTTP has no clipboard to write to. The field's text is selected.
    return document.execCommand("copy");
  }
}
