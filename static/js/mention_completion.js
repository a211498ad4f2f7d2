import { parseHtml } from "./html.js";

/** What stands before the cursor when a name is being written. */
const BEGUN = /(?:^|[^\w@./-])@([a-z0-9._-]*)$/i;

/**
 * Offer who is meant while one writes an “@” and the beginning of a name: arrows choose, Enter or Tab takes, Escape
 * leaves it.
 *
 * @param {HTMLTextAreaElement} text
 * @param {HTMLElement} box what the names are listed in
 */
export function completeMentions(text, box) {
  const source = box.dataset.source;
  let asked = 0;

  async function offer() {
    const prefix = begun();
    const question = ++asked;
    if (prefix === null) return close();
    const response = await fetch(`${source}?prefix=${encodeURIComponent(prefix)}`).catch(() => null);
    if (question !== asked || !response?.ok || response.redirected) return;
    box.replaceChildren(...parseHtml(await response.text()).querySelectorAll("[role=option]"));
    if (question !== asked || !box.firstElementChild) return close();
    box.hidden = false;
    text.setAttribute("aria-expanded", "true");
    choose(box.firstElementChild);
  }

  function begun() {
    if (text.selectionStart !== text.selectionEnd) return null;
    return BEGUN.exec(text.value.slice(0, text.selectionStart))?.[1] ?? null;
  }

  function close() {
    box.hidden = true;
    text.setAttribute("aria-expanded", "false");
    text.removeAttribute("aria-activedescendant");
  }

  function chosen() {
    return box.querySelector("[aria-selected=true]");
  }

  function choose(option) {
    if (chosen()) chosen().ariaSelected = "false";
    option.ariaSelected = "true";
    option.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", option.id);
  }

  function take(option) {
    const start = text.selectionStart - begun().length;
    text.setRangeText(`${option.dataset.username} `, start, text.selectionStart, "end");
    close();
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  }

  function pressed(event) {
    if (box.hidden || event.isComposing) return;
    const steps = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" };
    if (steps[event.key]) choose(chosen()[steps[event.key]] ?? chosen());
    else if (["Enter", "Tab"].includes(event.key)) take(chosen());
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    // Enter would send, and an arrow would edit.
    event.stopImmediatePropagation();
  }

  text.addEventListener("input", offer);
  text.addEventListener("keydown", pressed, { capture: true });
  text.addEventListener("blur", () => setTimeout(close, 150));
  box.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
}
