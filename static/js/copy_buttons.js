// Buttons that copy the text of a field.

import { copyText } from "./clipboard.js";
import { find, findAll } from "./dom.js";

/** @param {ParentNode} root */
export function enableCopyButtons(root) {
  for (const button of findAll(root, "[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = find(document, `#${button.dataset.copy}`, HTMLInputElement);
      field.focus();
      field.select();
      button.textContent = (await copyText(field.value)) ? "Copied" : "Press Ctrl + C";
    });
  }
}
