// Suggests people after an "@" in the composer. Arrows select, Enter or Tab accepts, Escape closes.

import { findMentionPrefix } from "./core/mentions.js";
import { rank } from "./core/ranking.js";
import { closest, findAll } from "./dom.js";
import { Listbox } from "./listbox.js";
import { namedPeople, OptionSource } from "./option_source.js";

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
  const source = new OptionSource((prefix) => `${options.dataset.source}?prefix=${encodeURIComponent(prefix)}`);
  const listbox = new Listbox(text, options);

  function suggest() {
    const prefix = currentPrefix();
    if (prefix === null) return listbox.close();
    request(source.options.size === 0 ? "" : prefix);
    const people = rank(namedPeople(source.options.values()), prefix, listRecentSenders(messages));
    listbox.show(people.slice(0, MAX_SUGGESTIONS).map(({ element }) => element));
  }

  /** @param {string} prefix */
  async function request(prefix) {
    if ((await source.request(prefix)) && document.activeElement === text) suggest();
  }

  function currentPrefix() {
    if (text.selectionStart !== text.selectionEnd) return null;
    return findMentionPrefix(text.value.slice(0, text.selectionStart));
  }

  /** @param {HTMLElement | null} option */
  function accept(option) {
    const prefix = currentPrefix();
    if (!option || prefix === null) return;
    const start = text.selectionStart - prefix.length;
    text.setRangeText(`${option.dataset.username} `, start, text.selectionStart, "end");
    listbox.close();
    text.dispatchEvent(new Event("input", { bubbles: true }));
    text.focus();
  }

  /** @param {KeyboardEvent} event */
  function onKeydown(event) {
    if (!listbox.isOpen || event.isComposing) return;
    if (event.key === "ArrowDown") listbox.move(1);
    else if (event.key === "ArrowUp") listbox.move(-1);
    else if (["Enter", "Tab"].includes(event.key)) accept(listbox.selected);
    else if (event.key === "Escape") listbox.close();
    else return;
    event.preventDefault();
    // The composer would send on Enter and edit on arrow up.
    event.stopImmediatePropagation();
  }

  text.addEventListener("input", suggest);
  text.addEventListener("keydown", onKeydown, { capture: true });
  text.addEventListener("blur", () => setTimeout(() => listbox.close(), BLUR_DELAY_MS));
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
