// The preview of a message that is being written, in the place of its field. The server renders it.

import { closest, find, parseHtml } from "./dom.js";

const PREVIEW = "[data-preview-content]";

/** Enable the preview of all fields for Markdown, now and later. */
export function enablePreview() {
  document.addEventListener("click", ({ target }) => {
    if (closest(target, "[data-preview]")) togglePreview(target);
  });
  // Before the form's own code, which sets the focus to the field.
  document.addEventListener("submit", ({ target }) => close(/** @type {HTMLFormElement} */ (target)), {
    capture: true,
  });
  document.addEventListener("keydown", onKeydown);
}

/**
 * Show the preview of what is written in a form, or its field again. Returns false if there is none.
 *
 * @param {EventTarget | null} target an element of the form
 */
export function togglePreview(target) {
  const form = /** @type {HTMLFormElement | null} */ (closest(target, "form:has([data-preview])"));
  if (form && !close(form)) open(form);
  return form !== null;
}

/** @param {HTMLFormElement} form */
async function open(form) {
  const field = fieldOf(form);
  const { value } = field;
  if (!value.trim()) return field.focus();
  const { html, error = null } = await render(value);
  if (!form.isConnected || field.value !== value || form.querySelector(PREVIEW)) return;
  const alert = find(form, "[role=alert]:not([popover] *)");
  alert.hidden = !error;
  alert.textContent = error;
  if (html) show(form, field, html);
}

/**
 * @param {HTMLFormElement} form
 * @param {HTMLElement} field
 * @param {Iterable<Node>} html
 */
function show(form, field, html) {
  const preview = document.createElement("div");
  preview.className = "composer-preview";
  preview.dataset.previewContent = "";
  preview.tabIndex = 0;
  preview.role = "region";
  preview.ariaLabel = "Preview";
  preview.dir = "auto";
  preview.append(...html);
  field.before(preview);
  field.hidden = true;
  buttonOf(form).ariaPressed = "true";
  preview.focus();
}

/**
 * Show the field again, with what was selected in it. Returns false if there is no preview.
 *
 * @param {HTMLFormElement} form
 */
function close(form) {
  const preview = form.querySelector(PREVIEW);
  if (!preview) return false;
  const field = fieldOf(form);
  preview.remove();
  field.hidden = false;
  buttonOf(form).ariaPressed = "false";
  field.focus();
  return true;
}

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  const { key, target } = event;
  if (event.defaultPrevented || !(target instanceof HTMLElement) || !target.matches(PREVIEW)) return;
  const form = /** @type {HTMLFormElement} */ (target.closest("form"));
  if (key === "Enter") form.requestSubmit();
  else if (key !== "Escape" || !close(form)) return;
  event.preventDefault();
}

/**
 * @param {string} content
 * @returns {Promise<{html?: Iterable<Node>, error?: string | null}>}
 */
async function render(content) {
  const main = find(document, "main");
  const body = new FormData(find(main, "[data-composer]", HTMLFormElement));
  body.set("content", content);
  const path = `/conversations/${main.dataset.conversation}/preview`;
  const response = await fetch(path, { method: "POST", body }).catch(() => null);
  if (!response) return { error: "The server can’t be reached." };
  const page = parseHtml(await response.text());
  if (!response.ok || response.redirected) return { error: page.querySelector(".lead")?.textContent ?? "No preview." };
  return { html: [find(page, ".message-body")] };
}

/** @param {HTMLFormElement} form */
const fieldOf = (form) => find(form, "[data-markdown]", HTMLTextAreaElement);

/** @param {HTMLFormElement} form */
const buttonOf = (form) => find(form, "[data-preview]");
