// Edits a message in place: Enter saves, Escape cancels, Shift + Enter starts a new line.

import { enableAutocomplete } from "./autocomplete.js";
import { describeError } from "./core/connection.js";
import { validateContent } from "./core/message_validation.js";
import { FileRemoval } from "./file_removal.js";
import { createFormattingToolbar } from "./formatting.js";
import { cloneTemplate, closest, find } from "./dom.js";
import { contentOf, findMessages, messageOf, seqOf } from "./message_element.js";

/** @import { Completion } from "./autocomplete.js" */
/** @import { MessageActions } from "./message_actions.js" */
/** @import { MessageToolbar } from "./message_toolbar.js" */

/**
 * @typedef {object} Change
 * @property {{content: string, removed_files?: string[]}} payload of `edit_message`
 * @property {boolean} hasFiles whether the message keeps a file
 */

/** The text stays until the server has stored it, even if another change replaces the message's element. */
export class MessageEditor {
  #list;
  #toolbar;
  #actions;
  #maxChars;
  /** @type {WeakMap<HTMLFormElement, Element | null>} the element that had the focus before the form was opened */
  #origins = new WeakMap();
  /** @type {WeakMap<HTMLFormElement, FileRemoval>} */
  #removals = new WeakMap();
  #askDeletion;
  #completions;

  /**
   * @param {HTMLElement} list
   * @param {MessageToolbar} toolbar
   * @param {MessageActions} actions
   * @param {number} maxChars
   * @param {(message: HTMLElement) => void} askDeletion ask whether to delete a message of which nothing would be left
   * @param {Completion[]} completions
   */
  constructor(list, toolbar, actions, maxChars, askDeletion, completions) {
    this.#list = list;
    this.#toolbar = toolbar;
    this.#actions = actions;
    this.#maxChars = maxChars;
    this.#askDeletion = askDeletion;
    this.#completions = completions;

    find(toolbar.menu, "[data-edit]").addEventListener("click", () => this.#open(toolbar.message));
    list.addEventListener("submit", (event) => this.#onSubmit(event));
    list.addEventListener("click", ({ target }) => closest(target, "[data-cancel]") && this.#close(formAt(target)));
    list.addEventListener("keydown", (event) => this.#onKeydown(event));
    list.addEventListener("message:replaced", ({ detail }) => this.#onReplaced(detail));
  }

  editLast() {
    const last = findMessages(this.#list).findLast(
      (message) => this.#toolbar.mayEdit(message) && !message.matches(".is-deleted"),
    );
    if (last) this.#open(last);
  }

  /** @param {HTMLElement | null} message */
  #open(message) {
    if (!message) return;
    const open = formIn(message);
    if (open) return textOf(open).focus();
    this.#toolbar.hide();
    const form = find(cloneTemplate("message-edit"), "form", HTMLFormElement);
    const text = textOf(form);
    text.value = contentOf(message);
    text.before(createFormattingToolbar());
    const options = find(form, "[data-edit-options]");
    options.id = `edit-options-${seqOf(message)}`;
    text.setAttribute("aria-controls", options.id);
    enableAutocomplete(text, options, this.#completions);
    find(message, ".message-content").after(form);
    message.classList.add("is-editing");
    this.#origins.set(form, document.activeElement);
    this.#removals.set(form, new FileRemoval(message));
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
    form.scrollIntoView({ block: "nearest" });
  }

  /** @param {HTMLFormElement | null} form */
  #close(form) {
    const message = form && messageOf(form);
    if (!form || !message) return;
    this.#removals.get(form)?.hide();
    form.remove();
    message.classList.remove("is-editing");
    this.#toolbar.prepare(message);
    // The composer gets the focus back; the toolbar's button is hidden by now.
    const origin = this.#origins.get(form);
    const isComposer = origin instanceof HTMLTextAreaElement && origin.isConnected;
    (isComposer ? origin : message).focus();
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    const form = formAt(event.target);
    if (!form || event.target !== textOf(form) || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") this.#close(form);
    else if (event.key === "Enter" && !event.shiftKey) form.requestSubmit();
    else return;
    event.preventDefault();
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    const form = formAt(event.target);
    const message = messageOf(event.target);
    if (!form || !message) return;
    event.preventDefault();
    if (form.ariaBusy !== "true") this.#save(form, message);
  }

  /**
   * @param {HTMLFormElement} form
   * @param {HTMLElement} message
   */
  async #save(form, message) {
    const change = this.#findChange(form, message);
    if (change === null) return this.#close(form);
    if (isNothingLeft(change)) {
      this.#close(form);
      return this.#askDeletion(message);
    }
    const text = textOf(form);
    const error = validateContent(text.value, this.#maxChars, change);
    show(form, "[data-error]", error);
    if (error) return;
    form.ariaBusy = "true";
    text.readOnly = true;
    try {
      const changed = await this.#actions.request("edit_message", { seq: seqOf(message), ...change.payload });
      this.#close(form);
      this.#actions.show(changed);
    } catch (failure) {
      show(form, "[data-error]", describeError(failure));
    }
    form.ariaBusy = null;
    text.readOnly = false;
  }

  /**
   * Return what saving a form changes; null if that is nothing.
   *
   * @param {HTMLFormElement} form
   * @param {HTMLElement} message
   * @returns {Change | null}
   */
  #findChange(form, message) {
    const content = textOf(form).value;
    const { removed = [], keepsFiles: hasFiles = false } = this.#removals.get(form) ?? {};
    const isSame = content === contentOf(message);
    if (removed.length === 0)
      return isSame && !message.matches(".is-deleted") ? null : { hasFiles, payload: { content } };
    return { hasFiles, payload: { content, removed_files: removed } };
  }

  /**
   * Move an open form to the message's new element.
   *
   * @param {{oldElement: HTMLElement, newElement: HTMLElement}} elements
   */
  #onReplaced({ oldElement, newElement }) {
    const form = formIn(oldElement);
    if (!form) return;
    const hadFocus = form.contains(document.activeElement);
    find(newElement, ".message-content").after(form);
    newElement.classList.add("is-editing");
    this.#removals.get(form)?.show(newElement);
    if (hadFocus) textOf(form).focus();
    if (form.ariaBusy === "true") return;
    const content = contentOf(newElement);
    if (newElement.matches(".is-deleted")) show(form, "[data-notice]", "This message was deleted in the meantime.");
    else if (content !== contentOf(oldElement)) {
      show(form, "[data-notice]", `This message was changed in the meantime: ${content}`);
    }
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {string} selector
 * @param {string | null} text null to hide the element
 */
function show(form, selector, text) {
  const element = find(form, selector);
  element.hidden = !text;
  element.textContent = text ?? "";
}

/**
 * Return whether a message would have neither text nor files.
 *
 * @param {Change} change
 */
const isNothingLeft = ({ payload, hasFiles }) =>
  payload.removed_files !== undefined && !hasFiles && payload.content.trim() === "";

/** @param {HTMLFormElement} form */
const textOf = (form) => find(form, "textarea", HTMLTextAreaElement);

/**
 * @param {HTMLElement} message
 * @returns {HTMLFormElement | null}
 */
const formIn = (message) => message.querySelector(".message-edit");

/** @param {EventTarget | null} target */
const formAt = (target) => /** @type {HTMLFormElement | null} */ (closest(target, ".message-edit"));
