// Completes the filters of a search, and their values: people, conversations, dates and kinds of messages.

import { cleanValue, findNamePrefix, findValuePrefix } from "./core/search_filters.js";
import { rank } from "./core/ranking.js";
import { namedPeople, OptionSource } from "./option_source.js";

/** @import { Completion } from "./autocomplete.js" */

/**
 * A filter as the server describes it.
 *
 * @typedef {object} SearchFilter
 * @property {string} name
 * @property {string} description
 * @property {[value: string, description: string][]} values
 * @property {string} [source] path of further values
 */

/**
 * @param {SearchFilter[]} filters
 * @returns {Completion[]}
 */
export function completeFilters(filters) {
  /** @type {Map<string, OptionSource>} by path: two filters have people as values */
  const sources = new Map();
  for (const { source } of filters) if (source) sources.set(source, createSource(source));
  return [...filters.map((filter) => completeValues(filter, sources.get(filter.source ?? ""))), completeNames(filters)];
}

/** @param {string} path */
const createSource = (path) => new OptionSource((text) => `${path}?text=${encodeURIComponent(text)}`);

/**
 * @param {SearchFilter[]} filters
 * @returns {Completion}
 */
function completeNames(filters) {
  return {
    label: "Filters",
    findPrefix: findNamePrefix,
    load: async () => false,
    list: (prefix) =>
      filters
        // Not the whole name: somebody searches the word “in”, or types the colon, which is shorter.
        .filter(({ name }) => name.startsWith(prefix.toLowerCase()) && name.length > prefix.length)
        .map(({ name, description }) => createOption(`${name}:`, `${name}:`, description)),
    insertionOf: valueOf,
    // The value follows. What is typed may also be a word: Enter searches it.
    suffix: "",
    isOptional: true,
  };
}

/**
 * @param {SearchFilter} filter
 * @param {OptionSource | undefined} source
 * @returns {Completion}
 */
function completeValues({ name, description, values }, source) {
  const isDone = (/** @type {string} */ prefix) => values.some(([value]) => value === prefix.toLowerCase());

  /** @param {string} typed */
  function listSource(typed) {
    if (!source) return [];
    const options = [...source.options.values()];
    const named = options.map((element) => ({
      element,
      key: valueOf(element),
      title: element.dataset.name ?? "",
      names: [cleanValue(valueOf(element)), element.dataset.name ?? ""],
    }));
    return rank(name === "in" ? named : namedPeople(options), typed, []).map(({ element }) => element);
  }

  return {
    label: description,
    findPrefix: (text) => {
      const prefix = findValuePrefix(text, name);
      return prefix === null || isDone(prefix) ? null : prefix;
    },
    load: async (prefix) => (await source?.request(source.options.size === 0 ? "" : cleanValue(prefix))) ?? false,
    list: (prefix) => {
      const typed = cleanValue(prefix);
      const known = values.filter(([value]) => value.startsWith(typed.toLowerCase()));
      return [...known.map(([value, label]) => createOption(`${name}:${value}`, value, label)), ...listSource(typed)];
    },
    insertionOf: valueOf,
  };
}

/**
 * Return what an option inserts.
 *
 * @param {HTMLElement} option
 */
export const valueOf = ({ dataset }) => dataset.value ?? dataset.username ?? "";

/**
 * @param {string} title
 * @param {string} value
 * @param {string} description
 */
function createOption(title, value, description) {
  const option = document.createElement("li");
  option.id = `filter-${title.replace(":", "-")}`;
  option.role = "option";
  option.dataset.value = value;
  const code = document.createElement("code");
  code.textContent = title;
  const hint = document.createElement("span");
  hint.className = "hint ellipsis";
  hint.textContent = description;
  option.append(code, hint);
  return option;
}
