// Typed access to the elements of a page.

/**
 * Return the first element that matches. Throws if there is none: the templates always render it.
 *
 * @template {Element} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function find(root, selector, type = /** @type {any} */ (HTMLElement)) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new Error(`the page has no ${selector}`);
  return element;
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export const findAll = (root, selector) => [...root.querySelectorAll(selector)].filter(isHtmlElement);

/**
 * Return the event target, or its nearest ancestor, that matches.
 *
 * @param {EventTarget | null} target
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const closest = (target, selector) => (target instanceof Element ? target.closest(selector) : null);

/**
 * Close the menu that an element is in, if it is in one.
 *
 * @param {Element | null} element
 */
export function closeMenu(element) {
  /** @type {HTMLElement | null | undefined} */ (element?.closest("[popover]"))?.hidePopover();
}

/**
 * Set the text of an element, unless it has it already.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Parse HTML that the server rendered. Scripts in it do not run.
 *
 * @param {string} html
 */
export const parseHtml = (html) => new DOMParser().parseFromString(html, "text/html").body;

/**
 * Return a copy of the content of the page's `<template>` with this id.
 *
 * @param {string} id
 */
export const cloneTemplate = (id) =>
  /** @type {DocumentFragment} */ (find(document, `#${id}`, HTMLTemplateElement).content.cloneNode(true));

/**
 * @param {Node} node
 * @returns {node is HTMLElement}
 */
const isHtmlElement = (node) => node instanceof HTMLElement;

/**
 * Call a function once the next frame is painted: for work that should not delay what the user waits for.
 *
 * @param {() => void} callback
 */
export function afterFrame(callback) {
  requestAnimationFrame(() => setTimeout(callback));
}
