// The page that searches messages: results follow what is typed, and arrows move between them.

import { enableAutocomplete } from "./autocomplete.js";
import { cleanValue, findFilter, isComplete, removeFilter } from "./core/search_filters.js";
import { closest, find, findAll, parseHtml } from "./dom.js";
import { completeFilters, valueOf } from "./search_completion.js";

/** @import { SearchFilter } from "./search_completion.js" */
/** @import { Page } from "./page.js" */
/** @import { Screen } from "./screen.js" */

/** What is typed within this time is requested at once. */
const DEBOUNCE_MS = 150;

/** The messages are counted when nothing is typed for this time. */
const COUNT_DELAY_MS = 400;

const TOO_MANY_REQUESTS = 429;

const RESULTS = "[data-search-results]";

/** @type {Map<string, string>} paths of the messages that were opened, by the entry of the history with the results */
const opened = new Map();

/** @param {Screen} screen */
export function enableSearch(screen) {
  start(screen.page);
  screen.on("shown", start);
}

/** @param {Page} page */
function start(page) {
  const form = page.main.querySelector("[data-search-form]");
  if (!(form instanceof HTMLFormElement) || form.dataset.searchForm === "enabled") return;
  form.dataset.searchForm = "enabled";
  const search = new Search(page, form);
  page.signal.addEventListener("abort", () => search.stop());
}

class Search {
  #main;
  #form;
  #field;
  #options;
  /** @type {SearchFilter[]} */
  #filters;
  #requested = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #searchTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #countTimer;

  /**
   * @param {Page} page
   * @param {HTMLFormElement} form
   */
  constructor({ main }, form) {
    this.#main = main;
    this.#form = form;
    this.#field = find(form, "[name=q]", HTMLInputElement);
    this.#options = find(form, "[data-filters]");
    this.#filters = JSON.parse(this.#options.dataset.filters ?? "[]");
    // Browsers put the cursor before the words that a page opens with.
    this.#field.setSelectionRange(this.#field.value.length, this.#field.value.length);
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#searchTimer);
      this.#searchTimer = setTimeout(() => this.#search(this.#finishedWords()), DEBOUNCE_MS);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#search(this.#field.value);
    });
    main.addEventListener("click", (event) => this.#onClick(event));
    main.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#completeFilters();
    this.#restoreFocus();
    this.#count(this.#field.value);
  }

  stop() {
    clearTimeout(this.#searchTimer);
    clearTimeout(this.#countTimer);
    this.#requested.abort();
  }

  #completeFilters() {
    this.#field.role = "combobox";
    this.#field.ariaAutoComplete = "list";
    this.#field.ariaExpanded = "false";
    this.#field.setAttribute("aria-controls", this.#options.id);
    enableAutocomplete(this.#field, this.#options, completeFilters(this.#filters));
  }

  /** Return what is typed, without a filter whose value is being chosen: its beginning would find nothing. */
  #finishedWords() {
    const { value, selectionStart } = this.#field;
    const caret = selectionStart ?? value.length;
    const filter = findFilter(value.slice(0, caret));
    return filter && this.#isBeingChosen(filter) ? removeFilter(value, caret, filter) : value;
  }

  /** @param {{ name: string, value: string }} filter */
  #isBeingChosen({ name, value }) {
    if (!this.#filters.some((filter) => filter.name === name)) return false;
    if (cleanValue(value) === "") return true;
    const suggested = this.#field.ariaExpanded === "true" ? findAll(this.#options, "[role=option]") : [];
    const complete = suggested.flatMap((option) => [valueOf(option), option.dataset.name ?? ""]);
    return suggested.length > 0 && !isComplete(value, complete);
  }

  /** @param {string} words those in the field, or without a filter that is being typed: the address has it */
  async #search(words) {
    this.stop();
    this.#requested = new AbortController();
    const { signal } = this.#requested;
    const query = queryOf(this.#form, words);
    const address = `/search${queryOf(this.#form, this.#field.value)}`;
    try {
      const response = await fetch(`/search/results${query}`, { signal });
      const received = parseHtml(await response.text());
      if (response.status === TOO_MANY_REQUESTS) return this.#report(errorMessageOf(received));
      const results = received.querySelector(RESULTS);
      // The login session has ended, or the search failed: the page says which.
      if (!results || response.redirected) return location.assign(address);
      find(this.#main, RESULTS).replaceWith(results);
      history.replaceState(history.state, "", address);
      this.#countTimer = setTimeout(() => this.#count(words), COUNT_DELAY_MS);
    } catch {
      // A newer search has cancelled it.
      if (!signal.aborted) this.#report("No connection to the server. Try again.");
    }
  }

  /** @param {string} words those that the results are of */
  async #count(words) {
    // Unless there are more pages, the server has counted them.
    if (!this.#main.querySelector("[data-search-count]:empty")) return;
    const { signal } = this.#requested;
    const response = await fetch(`/search/count?q=${encodeURIComponent(words)}`, { signal }).catch(() => null);
    const counted = response?.ok ? await response.json().catch(() => null) : null;
    if (!counted || signal.aborted) return;
    const messages = counted.count === 1 ? "message" : "messages";
    this.#report(`${counted.count.toLocaleString("en")}${counted.has_more ? "+" : ""} ${messages}`);
  }

  /** @param {string} text */
  #report(text) {
    const line = this.#main.querySelector("[data-search-count]");
    if (line) line.textContent = text;
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const button = closest(event.target, "[data-show-context]");
    if (button) this.#toggleContext(button).catch(() => this.#report("Context could not be loaded. Try again."));
    const link = closest(event.target, "a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.matches(".search-hit")) opened.set(entryKey(), link.getAttribute("href") ?? "");
    if (link.dataset.searchWords === undefined) return;
    event.preventDefault();
    this.#field.value = link.dataset.searchWords;
    this.#field.focus();
    this.#search(this.#field.value);
  }

  /**
   * Show or hide the messages before and after one that was found.
   *
   * @param {HTMLElement} button
   */
  async #toggleContext(button) {
    const item = /** @type {HTMLElement} */ (button.closest("li"));
    const isShown = button.ariaExpanded === "true";
    if (isShown) item.querySelector(".search-context")?.remove();
    else {
      const path = find(item, ".search-hit", HTMLAnchorElement).getAttribute("href");
      const response = await fetch(`${path}/context`);
      if (!response.ok || response.redirected) throw new Error("no context");
      if (!item.querySelector(".search-context"))
        item.append(find(parseHtml(await response.text()), ".search-context"));
    }
    button.ariaExpanded = String(!isShown);
    button.textContent = isShown ? "Show context" : "Hide context";
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.isComposing) return;
    const hits = findAll(this.#main, `${RESULTS} .search-hit`);
    const places = [this.#field, ...hits];
    const current = places.findIndex((place) => place === document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1, Escape: -current }[event.key];
    const next = current === -1 || !step ? undefined : places[current + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /** Focus the message that was opened, after the reader has come back to the results. */
  #restoreFocus() {
    const path = opened.get(entryKey());
    const hit = findAll(this.#main, `${RESULTS} .search-hit`).find((each) => each.getAttribute("href") === path);
    opened.delete(entryKey());
    if (!hit) return;
    // Where the focus goes when the page is shown.
    this.#field.removeAttribute("autofocus");
    hit.setAttribute("autofocus", "");
  }
}

/** Return the key of the entry of the history that is shown. Browsers without the Navigation API have none. */
const entryKey = () => window.navigation?.currentEntry?.key ?? "";

/**
 * Return why the server has refused a request. Its first limits respond with plain text.
 *
 * @param {HTMLElement} page
 */
const errorMessageOf = (page) => (page.querySelector("[data-error-message]") ?? page).textContent ?? "";

/**
 * @param {HTMLFormElement} form
 * @param {string} words
 */
function queryOf(form, words) {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") parameters.append(name, value);
  parameters.set("q", words);
  return `?${parameters}`;
}
