import { findProblem } from "./content.js";
import { tabKeep } from "./storage.js";

/** As the server reads it. */
const NAMES_ALL = /(?<![\w@./-])@all(?![\w@])/i;

/**
 * The form in which one writes: Enter sends, Shift + Enter starts a new line, and what is half written survives a
 * reload. Without JavaScript it posts as any form does.
 *
 * The form dispatches `message:written` when a message has left for the outbox, and `message:edit-last` on an arrow up
 * with nothing written.
 */
export class Composer {
  #form;
  #text;
  #error;
  #outbox;
  #conversation;
  #limit;
  #draftKey;
  /** Where a room is so large that one is asked before naming everybody. */
  #allDialog;

  /** @param {import("./outbox.js").Outbox} outbox */
  constructor(form, outbox, { conversation, userId, limit }) {
    this.#form = form;
    this.#text = form.querySelector("textarea");
    this.#error = form.querySelector("[data-composer-error]");
    this.#outbox = outbox;
    this.#conversation = conversation;
    this.#limit = limit;
    this.#draftKey = `chatapp:draft:${userId}:${conversation}`;

    form.noValidate = true;
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    this.#text.addEventListener("input", () => this.#typed());
    this.#allDialog = form.parentElement.querySelector("[data-mention-all-dialog]");
    this.#allDialog?.addEventListener("close", ({ target }) => {
      if (target.returnValue === "send") this.#send();
      target.returnValue = "";
      this.#text.focus();
    });
    this.#restoreDraft();
    // On a phone the keyboard would cover half of what one came to read.
    if (matchMedia("(pointer: fine)").matches) this.#text.focus();
  }

  #submit(event) {
    event.preventDefault();
    const problem = findProblem(this.#text.value, this.#limit);
    this.#complain(problem);
    this.#text.focus();
    if (problem) return;
    if (this.#allDialog && NAMES_ALL.test(this.#text.value)) this.#allDialog.showModal();
    else this.#send();
  }

  #send() {
    this.#outbox.add(this.#conversation, this.#text.value);
    this.#text.value = "";
    this.#typed();
    this.#form.dispatchEvent(new Event("message:written"));
  }

  #pressed(event) {
    // While an input method composes, Enter picks a word. Safari tells so only by the key code.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key === "ArrowUp" && this.#text.value === "") {
      event.preventDefault();
      this.#form.dispatchEvent(new Event("message:edit-last"));
    }
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #typed() {
    this.#complain(null);
    this.#fit();
    if (this.#text.value) tabKeep.write(this.#draftKey, this.#text.value);
    else tabKeep.remove(this.#draftKey);
  }

  #restoreDraft() {
    this.#text.value ||= tabKeep.read(this.#draftKey) ?? "";
    this.#fit();
  }

  #complain(problem) {
    this.#error.textContent = problem ?? "";
    this.#error.hidden = !problem;
  }

  /** Grow with the text where CSS cannot do it; how far is the style sheet's. */
  #fit() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
