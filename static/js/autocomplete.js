// Completes what is being typed in the composer or the search. Arrows select, Enter or Tab accepts, Escape closes.

import { caret } from "./core/text_edits.js";
import { closest } from "./dom.js";
import { Listbox } from "./listbox.js";
import { applyEdit } from "./text_field.js";

/** A click on an option moves the focus before it arrives. */
const BLUR_DELAY_MS = 150;

/** Number of suggestions that are shown. */
const MAX_SUGGESTIONS = 8;

/**
 * What can be completed.
 *
 * @typedef {object} Completion
 * @property {string} label of the list
 * @property {(textBeforeCaret: string) => string | null} findPrefix returns what is being typed, if it can be completed
 * @property {(prefix: string) => Promise<boolean>} load returns whether there are more options than before
 * @property {(prefix: string) => HTMLElement[]} list returns the options, the best ones first
 * @property {(option: HTMLElement) => string} insertionOf returns what replaces the prefix
 * @property {number} [markLength] length of the mark before the prefix that is replaced, too
 * @property {string} [suffix] what follows the insertion; a space without it
 * @property {boolean} [isOptional] whether no option is selected at first, so that Enter keeps what is typed
 */

/**
 * @param {HTMLTextAreaElement | HTMLInputElement} text
 * @param {HTMLElement} options the list of suggestions
 * @param {Completion[]} completions
 */
export function enableAutocomplete(text, options, completions) {
  const listbox = new Listbox(text, options);

  function suggest() {
    const { completion, prefix } = findCurrent() ?? {};
    if (!completion || prefix === undefined) return listbox.close();
    load(completion, prefix);
    options.ariaLabel = completion.label;
    listbox.show(completion.list(prefix).slice(0, MAX_SUGGESTIONS), { isFirstSelected: !completion.isOptional });
  }

  /**
   * @param {Completion} completion
   * @param {string} prefix
   */
  async function load(completion, prefix) {
    if ((await completion.load(prefix)) && document.activeElement === text) suggest();
  }

  function findCurrent() {
    if (text.selectionStart !== text.selectionEnd) return null;
    const before = text.value.slice(0, text.selectionStart ?? 0);
    for (const completion of completions) {
      const prefix = completion.findPrefix(before);
      if (prefix !== null) return { completion, prefix };
    }
    return null;
  }

  /** @param {HTMLElement | null} option */
  function accept(option) {
    const current = findCurrent();
    if (!option || !current) return;
    const { completion, prefix } = current;
    const end = text.selectionStart ?? 0;
    const start = end - prefix.length - (completion.markLength ?? 0);
    const insertion = completion.insertionOf(option) + (completion.suffix ?? " ");
    listbox.close();
    applyEdit(text, { start, end, text: insertion, selection: caret(start + insertion.length) });
  }

  /** @param {KeyboardEvent} event */
  function onKeydown(event) {
    if (!listbox.isOpen || event.isComposing) return;
    if (event.key === "ArrowDown") listbox.move(1);
    else if (event.key === "ArrowUp") listbox.move(-1);
    else if (["Enter", "Tab"].includes(event.key) && listbox.selected) accept(listbox.selected);
    else if (event.key === "Escape") listbox.close();
    else return;
    event.preventDefault();
    // The composer would send on Enter and edit on arrow up.
    event.stopImmediatePropagation();
  }

  text.addEventListener("input", suggest);
  /** @type {HTMLElement} */ (text).addEventListener("keydown", onKeydown, { capture: true });
  text.addEventListener("blur", () => setTimeout(() => listbox.close(), BLUR_DELAY_MS));
  // The focus stays in the field. A finger's click would otherwise hit what is below the closed list.
  options.addEventListener("pointerdown", (event) => event.preventDefault());
  options.addEventListener("click", ({ target }) => accept(closest(target, "[role=option]")));
}
