// Formatting with Markdown: the toolbar of the composer and of the editor of messages, and the keys in their fields.

import { applyFormat } from "./core/markdown_formats.js";
import { continueLine, indentItems } from "./core/markdown_lists.js";
import { storeCookie } from "./cookies.js";
import { closest, find, findAll } from "./dom.js";
import { applyEdit, readField } from "./text_field.js";

/** @import { Format } from "./core/markdown_formats.js" */
/** @import { Screen } from "./screen.js" */

const TOOLBAR = "[data-formatting-toolbar]";

/**
 * Enable all fields for Markdown, now and later.
 *
 * @param {Screen} screen
 */
export function enableFormatting(screen) {
  document.addEventListener("keydown", onKeydown);
  document.addEventListener("click", onClick);
  // The field keeps the focus, and what is selected in it; on a phone, the keyboard stays.
  document.addEventListener("pointerdown", (event) => {
    if (closest(event.target, `${TOOLBAR} button, [data-toggle-formatting]`)) event.preventDefault();
  });
  // With the layout of the next frame: now it would need one of its own.
  screen.on("shown", () => requestAnimationFrame(renderToggles));
  renderToggles();
}

/**
 * Add a format to what is selected in a field, or remove it. Returns false for other elements.
 *
 * @param {EventTarget | null} target
 * @param {Format} format
 */
export function formatField(target, format) {
  if (!isMarkdownField(target)) return false;
  applyEdit(target, applyFormat(readField(target), format));
  return true;
}

/** Return a toolbar like that of the composer, for another form. */
export const createFormattingToolbar = () => /** @type {HTMLElement} */ (find(document, TOOLBAR).cloneNode(true));

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  const toolbar = closest(event.target, TOOLBAR);
  const isDone = toolbar ? moveFocus(toolbar, event) : isMarkdownField(event.target) && editList(event.target, event);
  if (isDone) event.preventDefault();
}

/**
 * @param {HTMLTextAreaElement} field
 * @param {KeyboardEvent} event
 */
function editList(field, { key, shiftKey }) {
  let edit = null;
  if (key === "Enter" && shiftKey) edit = continueLine(readField(field));
  else if (key === "Tab") edit = indentItems(readField(field), shiftKey);
  if (edit) applyEdit(field, edit);
  return edit !== null;
}

/**
 * Tab reaches one button of the toolbar, the arrow keys move to the others.
 *
 * @param {HTMLElement} toolbar
 * @param {KeyboardEvent} event
 */
function moveFocus(toolbar, { key, target }) {
  const buttons = findAll(toolbar, "button");
  const index = buttons.indexOf(/** @type {HTMLElement} */ (target));
  const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[key];
  if (next === undefined) return false;
  const button = buttons.at(next % buttons.length);
  for (const each of buttons) each.tabIndex = each === button ? 0 : -1;
  button?.focus();
  return true;
}

/** @param {MouseEvent} event */
function onClick({ target }) {
  const { format } = closest(target, "[data-format]")?.dataset ?? {};
  const field = closest(target, "form")?.querySelector("[data-markdown]") ?? null;
  if (format) formatField(field, /** @type {Format} */ (format));
  if (closest(target, "[data-toggle-formatting]")) toggleToolbar();
}

function toggleToolbar() {
  const state = isToolbarShown() ? "hidden" : "shown";
  document.documentElement.dataset.formatting = state;
  // templates/layout/base.html reads it, so that the page does not move when its script starts.
  storeCookie("chatapp_formatting", state);
  renderToggles();
}

function renderToggles() {
  for (const button of findAll(document, "[data-toggle-formatting]")) button.ariaExpanded = String(isToolbarShown());
}

/** The style sheet decides where nobody has chosen. */
const isToolbarShown = () => document.querySelector(TOOLBAR)?.checkVisibility() ?? false;

/**
 * @param {EventTarget | null} target
 * @returns {target is HTMLTextAreaElement}
 */
export const isMarkdownField = (target) => target instanceof HTMLTextAreaElement && "markdown" in target.dataset;
