// Suggests people after an "@" in the composer. Arrows select, Enter or Tab accepts, Escape closes.

import { findMentionPrefix } from "./core/mentions.js";
import { rank } from "./core/ranking.js";
import { closest, findAll, parseHtml } from "./dom.js";

/** A click on an option moves the focus before it arrives. */
const BLUR_DELAY_MS = 150;

/** Number of suggestions that are shown. */
const MAX_SUGGESTIONS = 8;

/**
 * The list of people is fetched once, and filtered here: what is suggested always fits what has been written. In a
 * conversation of so many people that the list is not complete, more are fetched for each prefix.
 *
 * @param {HTMLTextAreaElement} text
 * @param {HTMLElement} options the list of suggestions
 * @param {HTMLElement} messages
 */
export function completeMentions(text, options, messages) {
  /** @type {Map<string, HTMLElement>} options by username */
  const known = new Map();
  let isComplete = false;
  /** @type {Set<string>} */
  const requested = new Set();

  function suggest() {
    const prefix = currentPrefix();
    if (prefix === null) return close();
    request(known.size === 0 ? "" : prefix);
    const people = [...known.values()].map((element) => ({
      element,
      key: element.dataset.username ?? "",
      title: element.dataset.name ?? "",
      names: [element.dataset.username ?? "", element.dataset.name ?? ""],
    }));
    show(rank(people, prefix, listRecentSenders(messages)).slice(0, MAX_SUGGESTIONS));
  }

  /** @param {string} prefix */
  async function request(prefix) {
    if (isComplete || requested.has(prefix)) return;
    requested.add(prefix);
    const response = await fetch(`${options.dataset.source}?prefix=${encodeURIComponent(prefix)}`).catch(() => null);
    if (!response?.ok || response.redirected) {
      requested.delete(prefix);
      return;
    }
    const list = parseHtml(await response.text());
    for (const option of findAll(list, "[role=option]")) known.set(option.dataset.username ?? "", option);
    if (prefix === "") isComplete = list.querySelector("[data-is-complete]") !== null;
    if (document.activeElement === text) suggest();
  }

  /** @param {{element: HTMLElement}[]} people */
  function show(people) {
    options.replaceChildren(...people.map(({ element }) => element));
    if (people.length === 0) return close();
    options.hidden = false;
    text.setAttribute("aria-expanded", "true");
    for (const { element } of people) element.ariaSelected = "false";
    select(people[0]?.element);
  }

  function currentPrefix() {
    if (text.selectionStart !== text.selectionEnd) return null;
    return findMentionPrefix(text.value.slice(0, text.selectionStart));
  }

  function close() {
    options.hidden = true;
    text.setAttribute("aria-expanded", "false");
    text.removeAttribute("aria-activedescendant");
  }

  /** @returns {HTMLElement | null} */
  function selected() {
    return options.querySelector("[aria-selected=true]");
  }

  /** @param {Element | null | undefined} option */
  function select(option) {
    if (!option) return;
    const previous = selected();
    if (previous) previous.ariaSelected = "false";
    option.ariaSelected = "true";
    option.scrollIntoView({ block: "nearest" });
    text.setAttribute("aria-activedescendant", option.id);
  }

  /** @param {HTMLElement | null} option */
  function accept(option) {
    const prefix = currentPrefix();
    if (!option || prefix === null) return;
    const start = text.selectionStart - prefix.length;
    text.setRangeText(`${option.dataset.username} `, start, text.selectionStart, "end");
    close();
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKeydown(event) {
    if (options.hidden || event.isComposing) return;
    if (event.key === "ArrowDown") select(selected()?.nextElementSibling);
    else if (event.key === "ArrowUp") select(selected()?.previousElementSibling);
    else if (["Enter", "Tab"].includes(event.key)) accept(selected());
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    // The composer would send on Enter and edit on arrow up.
    event.stopImmediatePropagation();
  }

  text.addEventListener("input", suggest);
  text.addEventListener("keydown", onKeydown, { capture: true });
  text.addEventListener("blur", () => setTimeout(close, BLUR_DELAY_MS));
  options.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    accept(closest(event.target, "[role=option]"));
  });
}

/**
 * Return the usernames of the senders, the latest first.
 *
 * @param {HTMLElement} messages
 */
const listRecentSenders = (messages) =>
  findAll(messages, "a.message-sender")
    .map(({ title }) => title.replace("@", ""))
    .reverse()
    .filter((username, index, all) => all.indexOf(username) === index);
