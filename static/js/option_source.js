// Options of a combobox that the server renders, such as people and rooms whose names begin with a text.

import { findAll, parseHtml } from "./dom.js";

/** Requests each text once, and nothing any more when the server has returned all that there are. */
export class OptionSource {
  /** @type {Map<string, HTMLElement>} by username, command, value or path */
  options = new Map();
  #urlOf;
  #isComplete = false;
  /** @type {Set<string>} */
  #requested = new Set();

  /** @param {(text: string) => string} urlOf */
  constructor(urlOf) {
    this.#urlOf = urlOf;
  }

  get isComplete() {
    return this.#isComplete;
  }

  /**
   * Request the options for a text. Returns whether the server has responded with them.
   *
   * @param {string} text
   */
  async request(text) {
    if (this.#isComplete || this.#requested.has(text)) return false;
    this.#requested.add(text);
    const response = await fetch(this.#urlOf(text)).catch(() => null);
    if (!response?.ok || response.redirected) {
      this.#requested.delete(text);
      return false;
    }
    const list = parseHtml(await response.text());
    for (const option of findAll(list, "[role=option]")) this.options.set(keyOf(option), option);
    if (text === "") this.#isComplete = list.querySelector("[data-is-complete]") !== null;
    return true;
  }
}

/** @param {HTMLElement} option */
const keyOf = (option) =>
  option.dataset.username ?? option.dataset.command ?? option.dataset.value ?? option.getAttribute("href") ?? "";

/**
 * Return the people among options as `rank` orders them.
 *
 * @param {Iterable<HTMLElement>} options
 */
export const namedPeople = (options) =>
  [...options].map((element) => {
    const { username = "", name = "" } = element.dataset;
    return { element, key: username, title: name, names: [username, name] };
  });
