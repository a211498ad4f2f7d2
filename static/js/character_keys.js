// Whether characters without Ctrl, ⌘ or Alt do something outside of fields. People who dictate may switch it off.

import { find } from "./dom.js";

/** @import { FallbackStorage } from "./core/fallback_storage.js" */

const STORAGE_KEY = "chatapp:character-keys";

/** The setting of this browser. */
export class CharacterKeys {
  #storage;

  /** @param {FallbackStorage} storage of the browser */
  constructor(storage) {
    this.#storage = storage;
  }

  get areOn() {
    return this.#storage.get(STORAGE_KEY) !== "off";
  }

  /**
   * Show the setting, and keep what the person changes at once.
   *
   * @param {HTMLElement} section
   */
  edit(section) {
    const box = find(section, "[name=character_keys]", HTMLInputElement);
    box.checked = this.areOn;
    section.hidden = false;
    box.addEventListener("change", () => this.#storage.set(STORAGE_KEY, box.checked ? "on" : "off"));
  }
}
