// Keyboard shortcuts: one table for what they do and for the dialog that lists them.

import { isCharacter, matchesKeys, nameKeys } from "./core/key_combinations.js";
import { closest, find, findAll } from "./dom.js";

/** @import { CharacterKeys } from "./character_keys.js" */

/**
 * @typedef {object} Shortcut
 * @property {string[]} keys alternatives
 * @property {string} label
 * @property {(event: KeyboardEvent) => boolean | void} run returns false where it does not apply
 * @property {boolean} [isGlobal] whether it works above a dialog, too
 */

const IS_MAC = navigator.platform.startsWith("Mac");

/** What takes characters. */
const FIELDS = "input, textarea, select, [contenteditable]";

/**
 * Run shortcuts. What is typed outside of fields goes to the composer.
 *
 * @param {Shortcut[]} shortcuts
 * @param {CharacterKeys} characterKeys
 */
export function listenForShortcuts(shortcuts, characterKeys) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
    const isCovered = document.querySelector("dialog[open], :popover-open") !== null;
    const takesNoCharacters = closest(event.target, FIELDS) !== null || !characterKeys.areOn;
    const shortcut = shortcuts.find(
      ({ keys, isGlobal }) =>
        (isGlobal || !isCovered) &&
        keys.some(
          (combination) => matchesKeys(event, combination, IS_MAC) && !(takesNoCharacters && isCharacter(combination)),
        ),
    );
    if (shortcut && shortcut.run(event) !== false) event.preventDefault();
    else if (!isCovered && !takesNoCharacters && isTyping(event)) focusComposer();
  });
}

/** @param {KeyboardEvent} event */
function isTyping(event) {
  // The space bar scrolls, and activates buttons.
  const isText = (event.key.length === 1 && event.key !== " ") || event.key === "Dead";
  const isModified = event.ctrlKey || event.metaKey || event.altKey;
  return matchesKeys(event, "Mod+V", IS_MAC) || (isText && (!isModified || event.getModifierState("AltGraph")));
}

/** The browser writes the character into the field that has the focus after the event. */
function focusComposer() {
  /** @type {HTMLElement | null} */
  const composer = document.querySelector("[data-composer] textarea:not(:disabled)");
  composer?.focus();
}

/**
 * Return a function that opens the dialog with the list of shortcuts.
 *
 * @param {Shortcut[]} shortcuts
 */
export function listShortcuts(shortcuts) {
  const dialog = find(document, "[data-shortcuts-dialog]", HTMLDialogElement);
  const open = () => {
    find(dialog, "dl").replaceChildren(...shortcuts.map(describe));
    dialog.showModal();
  };
  for (const button of findAll(document, "[data-open-shortcuts]")) button.addEventListener("click", open);
  for (const label of findAll(document, "[data-keys]")) {
    label.textContent = nameKeys(label.dataset.keys ?? "", IS_MAC).join(" ");
  }
  return open;
}

/** @param {Shortcut} shortcut */
function describe({ keys, label }) {
  const row = document.createElement("div");
  const term = row.appendChild(document.createElement("dt"));
  term.textContent = label;
  const definition = row.appendChild(document.createElement("dd"));
  for (const [index, combination] of keys.entries()) {
    if (index > 0) definition.append(" or ");
    for (const name of nameKeys(combination, IS_MAC)) {
      definition.appendChild(document.createElement("kbd")).textContent = name;
    }
  }
  return row;
}
