// The page that searches messages: results follow what is typed, and arrows move between them.

import { find, findAll, parseHtml } from "./dom.js";

/** @import { Page } from "./page.js" */
/** @import { Screen } from "./screen.js" */

/** What is typed within this time is requested at once. */
const DEBOUNCE_MS = 150;

const TOO_MANY_REQUESTS = 429;

const RESULTS = "[data-search-results]";

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
  followForm(page, form);
}

/**
 * @param {Page} page
 * @param {HTMLFormElement} form
 */
function followForm({ main, signal }, form) {
  const field = find(form, "[name=q]", HTMLInputElement);
  let requested = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function search() {
    clearTimeout(timer);
    requested.abort();
    requested = new AbortController();
    const path = pathOf(form);
    try {
      const response = await fetch(path, { signal: requested.signal });
      if (response.status === TOO_MANY_REQUESTS) return status("Too many searches. Try again in a minute.");
      const source = parseHtml(await response.text());
      const results = source.querySelector(RESULTS);
      // The login session has ended, or the search failed: the page says which.
      if (!results || response.redirected) return location.assign(path);
      find(main, RESULTS).replaceWith(results);
      find(main, ".search-filters").replaceWith(find(source, ".search-filters"));
      history.replaceState(history.state, "", path);
      await count();
    } catch (error) {
      if (!(error instanceof DOMException)) status("No connection to the server. Try again.");
    }
  }

  async function count() {
    if (findAll(main, `${RESULTS} .search-hit`).length === 0) return;
    const { signal: current } = requested;
    const response = await fetch(`/search/count?q=${encodeURIComponent(field.value)}`, { signal: current });
    if (!response.ok || current.aborted) return;
    const { count: number, has_more: hasMore } = await response.json();
    const messages = number === 1 ? "message" : "messages";
    status(`${number.toLocaleString("en")}${hasMore ? "+" : ""} ${messages}`);
  }

  /** @param {string} text */
  function status(text) {
    const line = main.querySelector("[data-search-count]");
    if (line) line.textContent = text;
  }

  // Browsers put the cursor before the words that a page opens with.
  field.setSelectionRange(field.value.length, field.value.length);
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, DEBOUNCE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  main.addEventListener("click", (event) => {
    const filter = event.target instanceof Element ? event.target.closest("[data-search-filter]") : null;
    if (!(filter instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    field.value = `${field.value.trimEnd()} ${filter.dataset.searchFilter} `.trimStart();
    field.focus();
    search();
  });
  main.addEventListener("keydown", (event) => moveFocus(event, field, main));
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    requested.abort();
  });
  count().catch(() => undefined);
}

/**
 * Move the focus between the field and the results.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLInputElement} field
 * @param {HTMLElement} main
 */
function moveFocus(event, field, main) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.isComposing) return;
  const places = [field, ...findAll(main, `${RESULTS} .search-hit`)];
  const current = places.findIndex((place) => place === document.activeElement);
  const next = current === -1 ? undefined : places[current + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

/** @param {HTMLFormElement} form */
function pathOf(form) {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (typeof value === "string") parameters.append(name, value);
  return `/search?${parameters}`;
}
