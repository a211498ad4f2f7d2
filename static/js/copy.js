/** Buttons that copy a field's text. On plain HTTP there is no clipboard to write to: the text is selected instead. */
export function offerCopies() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.focus();
      field.select();
      button.textContent = (await copy(field.value)) ? "Copied" : "Press Ctrl + C";
    });
  }
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
