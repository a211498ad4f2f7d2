// The picker of emoji, for texts and reactions.

import { addRecent, GROUPS, searchEmoji, separate, withTone } from "./core/emoji_search.js";
import { caret } from "./core/text_edits.js";
import { closest, find, findAll } from "./dom.js";
import { loadEmoji } from "./emoji_data.js";
import { showEmoji } from "./emoji_image.js";
import { placePopover } from "./popover_position.js";
import { applyEdit, readField } from "./text_field.js";

/** @import { Emoji } from "./core/emoji_search.js" */
/** @import { FallbackStorage } from "./core/fallback_storage.js" */

const RECENT_KEY = "chatapp:recent-emoji";
const TONE_KEY = "chatapp:skin-tone";

/** On a touch screen the focus would open the keyboard over the picker. */
const HAS_KEYBOARD = matchMedia("(hover: hover)").matches;

/**
 * There is one picker in the window. Arrows move between the
 * emoji, and what is typed is searched.
 */
export class EmojiPicker {
  #element = find(document, "[data-emoji-picker]");
  #search = find(this.#element, "[type=search]", HTMLInputElement);
  #tone = find(this.#element, "select", HTMLSelectElement);
  #groups = find(this.#element, "[data-emoji-groups]");
  #status = find(this.#element, "[role=status]");
  #storage;
  /** @type {Emoji[]} */
  #all = [];
  /** @type {(emoji: string) => void} */
  #onPick = () => {};

  /** @param {FallbackStorage} storage of the browser */
  constructor(storage) {
    this.#storage = storage;
    this.#tone.value = storage.get(TONE_KEY) ?? "0";
    this.#search.addEventListener("input", () => this.#render());
    this.#tone.addEventListener("change", () => {
      storage.set(TONE_KEY, this.#tone.value);
      this.#render();
    });
    this.#element.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#groups.addEventListener("click", ({ target }) => this.#pick(closest(target, "[data-emoji]")));
    document.addEventListener("click", ({ target }) => {
      const button = closest(target, "[data-insert-emoji]");
      const field = button?.closest("form")?.querySelector("[data-markdown]");
      if (button && field instanceof HTMLTextAreaElement) this.open(button, (emoji) => insert(field, emoji));
    });
  }

  /**
   * @param {HTMLElement} anchor
   * @param {(emoji: string) => void} onPick
   */
  async open(anchor, onPick) {
    const place = anchor.getBoundingClientRect();
    this.#onPick = onPick;
    this.#search.value = "";
    this.#element.showPopover();
    placePopover(this.#element, place);
    if (HAS_KEYBOARD) this.#search.focus();
    if (this.#all.length === 0) this.#status.textContent = "Loading…";
    this.#all = await loadEmoji().catch(() => this.#all);
    this.#render();
    if (this.#all.length === 0) this.#status.textContent = "The emoji can’t be loaded.";
  }

  #render() {
    const query = this.#search.value.trim();
    const found = query ? searchEmoji(this.#all, query) : this.#all;
    this.#status.textContent = found.length === 0 ? "No emoji found." : "";
    const groups = query ? [this.#createGroup("Found", found)] : this.#createGroups();
    this.#groups.replaceChildren(...groups);
    this.#groups.scrollTop = 0;
    const first = this.#groups.querySelector("button");
    if (first) first.tabIndex = 0;
  }

  #createGroups() {
    const recent = this.#recent.flatMap((used) => this.#all.find((emoji) => this.#show(emoji) === used) ?? []);
    const groups = [...GROUPS].flatMap(([id, name]) => {
      const emoji = this.#all.filter(({ group }) => group === id);
      return emoji.length > 0 ? [this.#createGroup(name, emoji)] : [];
    });
    return recent.length > 0 ? [this.#createGroup("Recent", recent), ...groups] : groups;
  }

  /**
   * @param {string} name
   * @param {Emoji[]} emoji
   */
  #createGroup(name, emoji) {
    const group = document.createElement("div");
    group.className = "emoji-group";
    group.role = "group";
    group.ariaLabel = name;
    const heading = group.appendChild(document.createElement("p"));
    heading.textContent = name;
    heading.ariaHidden = "true";
    const grid = group.appendChild(document.createElement("div"));
    grid.append(...emoji.map((each) => this.#createButton(each)));
    return group;
  }

  /** @param {Emoji} emoji */
  #createButton(emoji) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "icon-button";
    button.tabIndex = -1;
    button.ariaLabel = emoji.label;
    button.title = emoji.names.length > 0 ? `:${emoji.names[0]}:` : emoji.label;
    button.dataset.emoji = this.#show(emoji);
    button.append(showEmoji(emoji, button.dataset.emoji));
    return button;
  }

  /** @param {HTMLElement | null} button */
  #pick(button) {
    const { emoji } = button?.dataset ?? {};
    if (!emoji) return;
    this.#storage.set(RECENT_KEY, JSON.stringify(addRecent(this.#recent, emoji)));
    this.#element.hidePopover();
    this.#onPick(emoji);
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    const buttons = findAll(this.#groups, "button");
    const index = buttons.indexOf(/** @type {HTMLElement} */ (event.target));
    if (event.target === this.#search && event.key === "Enter") this.#pick(buttons[0] ?? null);
    else if (event.target === this.#search && event.key === "ArrowDown") buttons[0]?.focus();
    else if (index === -1 || !this.#move(buttons, index, event.key)) return;
    event.preventDefault();
  }

  /**
   * @param {HTMLElement[]} buttons
   * @param {number} index
   * @param {string} key
   */
  #move(buttons, index, key) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    const target = step ? buttons[index + step] : findInColumn(buttons, index, key);
    if (key === "ArrowUp" && !target) this.#search.focus();
    target?.focus();
    return step !== undefined || ["ArrowUp", "ArrowDown"].includes(key);
  }

  /** @param {Emoji} emoji */
  #show(emoji) {
    return withTone(emoji, Number(this.#tone.value));
  }

  /** @returns {string[]} */
  get #recent() {
    return JSON.parse(this.#storage.get(RECENT_KEY) ?? "[]");
  }
}

/**
 * Return the nearest button in the next row, or in the one before.
 *
 * @param {HTMLElement[]} buttons
 * @param {number} index
 * @param {string} key
 */
function findInColumn(buttons, index, key) {
  const { offsetLeft = 0, offsetTop = 0 } = buttons[index] ?? {};
  if (key === "ArrowDown") {
    const row = buttons.slice(index).find((button) => button.offsetTop > offsetTop)?.offsetTop;
    return buttons.findLast((button) => button.offsetTop === row && button.offsetLeft <= offsetLeft);
  }
  if (key !== "ArrowUp") return undefined;
  return buttons.slice(0, index).findLast((button) => button.offsetTop < offsetTop && button.offsetLeft <= offsetLeft);
}

/**
 * @param {HTMLTextAreaElement} field
 * @param {string} emoji
 */
function insert(field, emoji) {
  const { start, end } = readField(field);
  const text = separate(emoji, field.value.slice(0, start), field.value.slice(end));
  applyEdit(field, { start, end, text, selection: caret(start + text.length) });
}
