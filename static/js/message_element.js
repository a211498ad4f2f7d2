// Reads a message's data from its element.

import { closest, findAll } from "./dom.js";

/**
 * Return NaN, which is neither less nor greater than a number, for elements without a `seq`: separators and messages
 * that have no number yet.
 *
 * @param {Element | null | undefined} element
 */
export const seqOf = (element) => (element instanceof HTMLElement ? Number(element.dataset.seq) : NaN);

/**
 * Return the element of a message in a list, which need not be in the document.
 *
 * @param {ParentNode} list
 * @param {number | string} seq
 * @returns {HTMLElement | null}
 */
export const findMessage = (list, seq) => list.querySelector(`#message-${seq}`);

/**
 * Return the elements of all messages that have a number, in order.
 *
 * @param {ParentNode} list
 */
export const findMessages = (list) => findAll(list, ".message[data-seq]");

/** @param {EventTarget | null} target */
export const messageOf = (target) => closest(target, ".message");

/**
 * @param {HTMLElement} message
 * @param {number} userId
 */
export const isSentBy = (message, userId) => message.dataset.senderId === String(userId);

/**
 * Return what the sender wrote: the source of a formatted message.
 *
 * @param {HTMLElement} message
 */
export function contentOf(message) {
  /** @type {HTMLTemplateElement | null} */
  const source = message.querySelector("template[data-source]");
  return (source?.content ?? message.querySelector(".message-body"))?.textContent ?? "";
}

/**
 * @param {Node | null} node
 * @returns {node is HTMLElement}
 */
export const isMessage = (node) => node instanceof HTMLElement && node.matches(".message");

/**
 * @param {Node | null} node
 * @returns {HTMLElement | null}
 */
export function nextMessage(node) {
  let next = node?.nextSibling ?? null;
  while (next && !isMessage(next)) next = next.nextSibling;
  return next;
}
