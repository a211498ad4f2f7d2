// The dialog in which people jump to a room, a person, an assistant or a page. Arrows select, Enter opens, Escape closes.

import { chooseDestinations } from "./core/destinations.js";
import { closest, find, findAll } from "./dom.js";
import { Listbox } from "./listbox.js";
import { OptionSource } from "./option_source.js";
import { decodePath } from "./paths.js";

/** @import { Destination } from "./core/destinations.js" */
/** @import { RecentPages } from "./core/recent_pages.js" */
/** @import { Sidebar } from "./sidebar.js" */

/** What is typed within this time is requested at once. */
const DEBOUNCE_MS = 120;

/** @typedef {Destination & {element: HTMLElement}} ListedDestination */

/**
 * The sidebar's conversations and the pages are known here. The server is asked for all others when the dialog is opened,
 * and again for each text, if they are too many for one response.
 */
export class JumpDialog {
  #dialog = find(document, "[data-jump-dialog]", HTMLDialogElement);
  #text = find(this.#dialog, "input", HTMLInputElement);
  #list = find(this.#dialog, "[data-destinations]");
  #searchIcon = find(this.#dialog, ".jump-field svg", SVGElement);
  #pages = findAll(this.#list, "[role=option]");
  #sidebar;
  #recent;
  #listbox = new Listbox(this.#text, this.#list);
  /** What the server has returned since the dialog was opened. */
  #source = createSource();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Sidebar} sidebar
   * @param {RecentPages} recent
   */
  constructor(sidebar, recent) {
    this.#sidebar = sidebar;
    this.#recent = recent;
    for (const button of findAll(document, "[data-open-jump]")) button.addEventListener("click", () => this.open());
    this.#text.addEventListener("input", () => this.#onInput());
    this.#text.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#list.addEventListener("pointermove", ({ target }) => this.#onPointerMove(closest(target, "[role=option]")));
    this.#list.addEventListener("click", ({ target }) => closest(target, "[role=option]") && this.#dialog.close());
    find(this.#dialog, "[data-close]").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("close", () => clearTimeout(this.#timer));
  }

  toggle() {
    if (this.#dialog.open) this.#dialog.close();
    else if (!document.querySelector("dialog[open]")) this.open();
  }

  open() {
    this.#text.value = "";
    this.#source = createSource();
    this.#render();
    this.#dialog.showModal();
    this.#list.scrollTop = 0;
    this.#request("");
  }

  /** @param {HTMLElement | null} option */
  #onPointerMove(option) {
    if (option && option !== this.#listbox.selected) this.#listbox.select(option, { isScrolled: false });
  }

  #onInput() {
    this.#render();
    clearTimeout(this.#timer);
    if (!this.#source.isComplete) this.#timer = setTimeout(() => this.#request(this.#text.value.trim()), DEBOUNCE_MS);
  }

  /** @param {string} text */
  async #request(text) {
    const source = this.#source;
    if ((await source.request(text)) && source === this.#source && this.#dialog.open) this.#render();
  }

  #render() {
    const selectedPath = this.#text.value ? null : pathOf(this.#listbox.selected);
    const { value } = this.#text;
    const shown = chooseDestinations(this.#listAll(), value, this.#recent.list(), decodePath(location.pathname));
    if (value.trim()) shown.push(this.#toSearch(value.trim()));
    this.#list.replaceChildren(...shown.map(({ element }) => element));
    for (const [index, { element }] of shown.entries()) element.id = `destination-${index}`;
    // What was selected before the server has responded stays so, unless something else was typed.
    const isSame = (/** @type {ListedDestination} */ { key }) => key === selectedPath;
    this.#listbox.select((this.#dialog.open ? shown.find(isSame) : undefined)?.element ?? shown[0]?.element ?? null);
    this.#text.setAttribute("aria-expanded", String(shown.length > 0));
  }

  /**
   * Return the option that searches messages for a text.
   *
   * @param {string} text
   */
  #toSearch(text) {
    const link = document.createElement("a");
    link.href = `/search?q=${encodeURIComponent(text)}`;
    link.className = "destination";
    link.role = "option";
    link.tabIndex = -1;
    const title = document.createElement("span");
    title.className = "ellipsis";
    title.dir = "auto";
    title.textContent = `Search messages for “${text}”`;
    link.append(this.#searchIcon.cloneNode(true), title);
    return toDestination(link, false);
  }

  /** Return each destination once, by its path. Those of the sidebar show the most. */
  #listAll() {
    const entries = this.#sidebar.entries.map((entry) => ({
      ...toDestination(copyEntry(entry), true),
      isFavorite: entry.closest("[data-favorites]") !== null,
      isUnread: entry.matches(".is-unread"),
    }));
    const pages = this.#pages.map((page) => toDestination(page, true));
    const found = [...this.#source.options.values()].map((option) => toDestination(option, false));
    /** @type {Map<string, ListedDestination>} */
    const all = new Map();
    for (const destination of [...entries, ...pages, ...found]) {
      if (!all.has(destination.key)) all.set(destination.key, destination);
    }
    return [...all.values()];
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "ArrowDown") this.#listbox.move(1);
    else if (event.key === "ArrowUp") this.#listbox.move(-1);
    else if (event.key === "Enter") open(this.#listbox.selected, event);
    else return;
    event.preventDefault();
  }
}

const createSource = () => new OptionSource((text) => `/destinations?text=${encodeURIComponent(text)}`);

/**
 * Follow a link as the browser does when it is clicked: with Ctrl or ⌘ in another tab.
 *
 * @param {HTMLElement | null} link
 * @param {KeyboardEvent} event
 */
function open(link, { ctrlKey, metaKey, shiftKey }) {
  link?.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
}

/** @param {Element | null} link */
const pathOf = (link) => link?.getAttribute("href") ?? "";

/**
 * Return the sidebar's link to a conversation as an option.
 *
 * @param {HTMLElement} entry
 */
function copyEntry(entry) {
  const option = /** @type {HTMLElement} */ (entry.cloneNode(true));
  for (const { name } of [...option.attributes]) if (name !== "href") option.removeAttribute(name);
  option.className = "destination";
  option.role = "option";
  option.tabIndex = -1;
  const names = namesOf(pathOf(entry));
  if (names.length !== 1) return option;
  const detail = document.createElement("span");
  detail.className = "destination-detail";
  detail.textContent = `@${names[0]}`;
  find(option, ".ellipsis").after(detail);
  return option;
}

/**
 * @param {HTMLElement} element
 * @param {boolean} isKnown
 * @returns {ListedDestination}
 */
function toDestination(element, isKnown) {
  const path = pathOf(element);
  const title = find(element, ".ellipsis").textContent ?? "";
  return { key: path, title, names: [...namesOf(path), title], isKnown, isFavorite: false, isUnread: false, element };
}

/**
 * Return the usernames of the people whose direct conversation has this path.
 *
 * @param {string} path
 */
const namesOf = (path) => /^\/direct\/(.+)$/.exec(path)?.[1]?.split(",") ?? [];
