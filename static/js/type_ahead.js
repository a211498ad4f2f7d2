// Keeps what is typed between the click on a conversation and the moment when its composer is shown.

import { find } from "./dom.js";

/** The field has the focus meanwhile, so that all ways to type work: input methods, dead keys, pasting. */
export class TypeAhead {
  #field = document.createElement("textarea");
  /** @type {string[]} what was finished with Enter */
  #messages = [];

  constructor() {
    this.#field.className = "sr-only";
    this.#field.ariaLabel = "Message";
    this.#field.addEventListener("keydown", (event) => this.#onKeydown(event));
  }

  start() {
    // A second click, before the first page is shown, discards what was meant for that one.
    this.#field.value = "";
    this.#messages = [];
    document.body.append(this.#field);
    this.#field.focus({ preventScroll: true });
  }

  /**
   * Put the text into the page's composer, if it has one.
   *
   * @param {HTMLElement} main
   */
  finish(main) {
    if (!this.#field.isConnected) return;
    /** @type {HTMLFormElement | null} */
    const form = main.querySelector("[data-composer]:not([hidden])");
    if (form) this.#type(form);
    this.#field.remove();
  }

  /** @param {HTMLFormElement} form */
  #type(form) {
    const text = find(form, "textarea", HTMLTextAreaElement);
    for (const message of this.#messages) {
      text.value += message;
      form.requestSubmit();
    }
    if (!this.#field.value) return;
    text.value += this.#field.value;
    text.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#messages.push(this.#field.value);
    this.#field.value = "";
  }
}
