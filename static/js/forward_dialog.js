// The dialog in which a message is forwarded. Its form is that of the page for browsers without JavaScript.

import { closest, find, findAll, parseHtml } from "./dom.js";
import { showToast } from "./toast.js";

/** What is typed within this time is requested at once. */
const DEBOUNCE_MS = 120;

/** Time in which the new message can be opened. */
const SHOWN_MS = 10_000;

const UNREACHABLE = "The server can’t be reached.";

export class ForwardDialog {
  #dialog;
  #content;
  #path = "";
  /** @type {HTMLElement | null} the message that gets the focus back */
  #message = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.#dialog = dialog;
    this.#content = find(dialog, "[data-forward-content]");
    find(dialog, "[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    dialog.addEventListener("input", ({ target }) => closest(target, "[data-forward-filter]") && this.#onFilter());
    dialog.addEventListener("keydown", (event) => this.#onKeydown(event));
    dialog.addEventListener("submit", (event) => this.#onSubmit(event));
    dialog.addEventListener("close", () => this.#onClose());
  }

  /**
   * @param {HTMLElement} message
   * @param {string} path the page with the form
   */
  async open(message, path) {
    this.#message = message;
    this.#path = path;
    const form = await this.#load("");
    if (!form) return showToast(UNREACHABLE);
    this.#content.replaceChildren(form);
    this.#dialog.showModal();
    this.#field.focus();
  }

  get #field() {
    return find(this.#content, "[data-forward-filter] input", HTMLInputElement);
  }

  /**
   * Return the form with the conversations whose titles fit a text, or null.
   *
   * @param {string} text
   */
  async #load(text) {
    const response = await fetch(`${this.#path}?text=${encodeURIComponent(text)}`).catch(() => null);
    return response?.ok && !response.redirected ? formIn(await response.text()) : null;
  }

  #onFilter() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#filter(), DEBOUNCE_MS);
  }

  async #filter() {
    const text = this.#field.value;
    const form = await this.#load(text);
    if (form && this.#dialog.open && this.#field.value === text) {
      find(this.#content, "[data-forward-targets]").replaceWith(find(form, "[data-forward-targets]"));
    }
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.target !== this.#field || event.isComposing || !["ArrowDown", "Enter"].includes(event.key)) return;
    event.preventDefault();
    const [first] = findAll(this.#content, "[data-forward-targets] input");
    first?.focus();
    if (first instanceof HTMLInputElement) first.checked = true;
  }

  /** @param {SubmitEvent} event */
  async #onSubmit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("[data-forward-form]") || form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
    form.ariaBusy = null;
    if (response?.ok && response.redirected && new URL(response.url).pathname !== "/sign-in") {
      this.#showPosted(form, response.url);
    } else {
      showError(form, await readError(response));
    }
  }

  /**
   * @param {HTMLFormElement} form
   * @param {string} url
   */
  #showPosted(form, url) {
    const title = form.querySelector("input:checked ~ .ellipsis")?.textContent ?? "";
    this.#dialog.close();
    showToast(`Forwarded to ${title}.`, { label: "Show", run: () => location.assign(url), ms: SHOWN_MS });
  }

  #onClose() {
    clearTimeout(this.#timer);
    this.#content.replaceChildren();
    this.#message?.focus();
  }
}

/** @param {string} html */
const formIn = (html) => /** @type {HTMLElement | null} */ (parseHtml(html).querySelector("[data-forward]"));

/** @param {Response | null} response */
async function readError(response) {
  const shown = response && formIn(await response.text());
  return (shown && find(shown, "[data-error]").textContent) || UNREACHABLE;
}

/**
 * @param {HTMLFormElement} form
 * @param {string} text
 */
function showError(form, text) {
  const error = find(form, "[data-error]");
  error.hidden = false;
  error.textContent = text;
}
