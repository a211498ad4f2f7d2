// Adds what depends on the reader: local times, date separators, groups, and marks on own messages and reactions. The server
// has done so for the messages of the page (chatapp/presentation/message_list.py), but not for those that arrive later.

import { formatDateTime, formatDay, formatTime } from "./core/dates.js";
import { continuesGroup, startsDay } from "./core/message_grouping.js";
import { find, findAll, setText } from "./dom.js";
import { isMessage, isSentBy, nextMessage } from "./message_element.js";
import { markOwnReactions } from "./reactions.js";
import { onLocalTimeChange } from "./reader_clock.js";

/** @typedef {(message: HTMLElement) => void} Decorator */

/**
 * Decorate the messages in the list, and those that are added. Only the neighbours of a change are visited.
 *
 * @param {HTMLElement} list
 * @param {number} userId
 * @param {Decorator[]} decorators called for each message
 * @param {AbortSignal} signal
 */
export function decorateMessages(list, userId, decorators, signal) {
  // It keeps its sender when older messages are loaded above it, also if it continues their group: it would move.
  const firstShown = list.querySelector(".message");
  const observer = new MutationObserver((records) => {
    /** @type {Set<HTMLElement | null>} */
    const changed = new Set();
    for (const { addedNodes, nextSibling } of records) {
      for (const node of addedNodes) if (isMessage(node)) changed.add(node);
      changed.add(isMessage(nextSibling) ? nextSibling : nextMessage(nextSibling));
    }
    decorate(changed);
  });

  /** @param {Iterable<HTMLElement | null>} messages */
  function decorate(messages) {
    for (const message of messages) {
      if (!message?.isConnected) continue;
      decorateMessage(message, userId, { mayContinue: message !== firstShown });
      for (const decorator of decorators) decorator(message);
    }
    while (list.lastElementChild?.matches(".date-separator")) list.lastElementChild.remove();
    observer.takeRecords();
  }

  const decorateAll = () => decorate(findAll(list, ".message"));

  observer.observe(list, { childList: true });
  decorateAll();
  onLocalTimeChange(decorateAll, signal);
}

/**
 * @param {HTMLElement} message
 * @param {number} userId
 * @param {{mayContinue: boolean}} options whether it may be shown as part of the group before it
 */
function decorateMessage(message, userId, { mayContinue }) {
  const previousElement = previousMessage(message);
  const previous = previousElement && groupingOf(previousElement);
  const current = groupingOf(message);
  const time = find(message, ".message-time");
  setText(time, formatTime(current.createdAt));
  time.title = formatDateTime(current.createdAt);
  /** @type {HTMLTimeElement | null} */
  const edited = message.querySelector(".message-edited time");
  if (edited) edited.title = formatDateTime(new Date(edited.dateTime));
  /** @type {HTMLTimeElement | null} */
  const lastReply = message.querySelector(".message-replies time");
  if (lastReply)
    setText(lastReply, `${formatDay(new Date(lastReply.dateTime))}, ${formatTime(new Date(lastReply.dateTime))}`);
  markOwnReactions(message, userId);
  message.classList.toggle("is-own", isSentBy(message, userId));
  message.classList.toggle("mentions-me", mentions(message, userId));
  // Before the group: a separator that has become obsolete would divide it.
  updateDateSeparator(message, startsDay(previous, current) ? current.createdAt : null);
  const isAdjacent = message.previousElementSibling === previousElement;
  const isContinued = mayContinue && isAdjacent && continuesGroup(previous, current);
  message.classList.toggle("is-continued", isContinued);
  /** @type {HTMLAnchorElement | null} */
  const profile = message.querySelector("a.message-sender");
  // The name of a further message of a group is not visible: the focus skips its link.
  if (profile) profile.tabIndex = isContinued ? -1 : 0;
}

/**
 * @param {HTMLElement} message
 * @param {number} userId
 */
function mentions(message, userId) {
  const mentioned = message.dataset.mentions ?? "";
  return mentioned === "all" ? !isSentBy(message, userId) : mentioned.split(" ").includes(String(userId));
}

/** @param {HTMLElement} message */
const groupingOf = (message) => ({
  senderId: (!message.matches(".is-notice") && message.dataset.senderId) || "",
  createdAt: new Date(message.dataset.created ?? ""),
});

/**
 * Show one separator between the message and the previous one, or none.
 *
 * @param {HTMLElement} message
 * @param {Date | null} day null for no separator
 */
function updateDateSeparator(message, day) {
  /** @type {Element} */
  let first = message;
  /** @type {Element[]} */
  const separators = [];
  while (first.previousElementSibling && !isMessage(first.previousElementSibling)) {
    first = first.previousElementSibling;
    if (first.matches(".date-separator")) separators.push(first);
  }
  // The first of all is above the "New messages" line. What is right already is not touched: the page would move.
  const kept = day && separators.at(-1) === first ? separators.pop() : null;
  for (const separator of separators) separator.remove();
  if (!day) return;
  const separator = kept ?? createSeparator();
  setText(find(separator, "button"), formatDay(day));
  if (!kept) first.before(separator);
}

/** Its button opens the field for a date. */
function createSeparator() {
  const separator = document.createElement("li");
  separator.className = "date-separator";
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("popovertarget", "date-menu");
  separator.append(button);
  return separator;
}

/**
 * @param {Element} element
 * @returns {HTMLElement | null}
 */
function previousMessage(element) {
  let previous = element.previousElementSibling;
  while (previous && !isMessage(previous)) previous = previous.previousElementSibling;
  return previous;
}
