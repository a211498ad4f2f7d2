// The form for a new message. Enter sends, Shift + Enter starts a new line, and a draft survives a reload.

import { isCommand } from "./core/commands.js";
import { describeError, RequestError } from "./core/connection.js";
import { findReaderZone } from "./core/dates.js";
import { formatDue } from "./core/due_times.js";
import { mentionsAll } from "./core/mentions.js";
import { validateContent } from "./core/message_validation.js";
import { randomUuid } from "./core/uuid.js";
import { find } from "./dom.js";
import { ReplyBar } from "./reply_bar.js";

/** @import { Attachments } from "./attachments.js" */
/** @import { Drafts } from "./drafts.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Outbox } from "./core/outbox.js" */
/** @import { ReplyQuotes } from "./reply_quotes.js" */

/**
 * Without JavaScript the form posts to the server. With it, the form dispatches `message:submitted` when a message was
 * added to the outbox.
 */
export class Composer {
  #form;
  #text;
  #error;
  #notice;
  #outbox;
  #draft;
  #connection;
  #conversation;
  #maxChars;
  #replyBar;
  #thread;
  #attachments;
  /** The client id of the text after an attempt to schedule it that was not acknowledged. */
  #scheduleKey = "";
  /** Ends the wait for the files of a message that is to be scheduled. */
  #waiting = new AbortController();
  /** Whether the server has not acknowledged yet that a message is scheduled: it must not be sent as well. */
  #isScheduling = false;
  /** What the dialog asks about. */
  #confirm = () => {};
  /** @type {HTMLDialogElement | null} exists where the room is so large that @all asks for a confirmation */
  #mentionAllDialog;

  /**
   * @param {HTMLFormElement} form
   * @param {Outbox} outbox
   * @param {Drafts} drafts
   * @param {ReplyQuotes} quotes
   * @param {PageConnection} connection
   * @param {object} options
   * @param {string} options.conversation
   * @param {number | null} options.thread the number of the first message of the thread that it posts to
   * @param {number} options.maxChars
   * @param {Attachments} options.attachments
   * @param {AbortSignal} options.signal ends the page
   */
  constructor(form, outbox, drafts, quotes, connection, { conversation, thread, maxChars, attachments, signal }) {
    this.#form = form;
    this.#attachments = attachments;
    this.#text = find(form, "textarea", HTMLTextAreaElement);
    this.#error = find(form, "[data-composer-error]");
    this.#notice = find(form, "[data-composer-notice]");
    this.#outbox = outbox;
    this.#connection = connection;
    this.#conversation = conversation;
    this.#maxChars = maxChars;
    this.#thread = thread;
    const place = { conversation, thread };
    this.#replyBar = new ReplyBar(form, drafts.storage, drafts.keysOf(place).reply, quotes);
    // After going back, a browser fills in what the field had then.
    this.#text.value = this.#text.defaultValue;
    this.#draft = drafts.open(this, place, { stored: this.#storedDraft, maxChars, signal });

    signal.addEventListener("abort", () => this.#waiting.abort());
    form.noValidate = true;
    form.addEventListener("submit", (event) => this.#onSubmit(event));
    this.#text.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#text.addEventListener("input", () => this.#onInput());
    this.#mentionAllDialog = form.parentElement?.querySelector("[data-mention-all-dialog]") ?? null;
    this.#mentionAllDialog?.addEventListener("close", () => this.#onMentionAllClose());
    this.#text.addEventListener("focus", () => this.#draft.refresh());
    this.#fitHeight();
  }

  /** What is written; empty if that is nothing but white space. */
  get text() {
    return this.#text.value.trim() && this.#text.value;
  }

  /** Show another text: what another device has written. */
  set text(text) {
    const { selectionStart, selectionEnd } = this.#text;
    this.#text.value = text;
    if (document.activeElement === this.#text) this.#text.setSelectionRange(selectionStart, selectionEnd);
    this.#fitHeight();
  }

  /** Save what is written on the server. */
  saveDraft() {
    this.#draft.save();
  }

  /**
   * Reply to a message with what is written next.
   *
   * @param {number} seq
   */
  replyTo(seq) {
    this.#replyBar.start(seq);
  }

  /** Return whether the text can be sent, and show why if it cannot. */
  validate() {
    const hasFiles = !this.#attachments.isEmpty;
    const error = this.#attachments.problem ?? validateContent(this.#text.value, this.#maxChars, { hasFiles });
    this.#showError(error);
    return !error;
  }

  /**
   * Send the text and the files at a time in the future, once the files are uploaded. If that fails, they stay.
   *
   * @param {Date} date
   */
  schedule(date) {
    if (!this.#isScheduling) this.#confirmMentionAll(() => this.#schedule(date));
  }

  /** @param {Date} date */
  async #schedule(date) {
    const files = await this.#waitForFiles();
    if (!files) return;
    const content = this.#text.value;
    // If the acknowledgement is lost, the next attempt replaces what is scheduled, also with another text or time.
    this.#scheduleKey ||= randomUuid();
    const request = { conversation: this.#conversation, content, client_id: this.#scheduleKey, files, ...this.#place };
    this.#isScheduling = this.#text.readOnly = true;
    this.#notice.textContent = "Scheduling…";
    try {
      const due_at = date.toISOString();
      const { scheduled } = await this.#connection.request("schedule_message", { ...request, due_at });
      this.#scheduleKey = "";
      this.#attachments.removeSent(files);
      if (this.#text.value === content) this.#clear();
      this.#notice.textContent = `Scheduled: ${formatDue(new Date(scheduled.due_at), new Date())}`;
    } catch (error) {
      this.#notice.textContent = "";
      // It was sent meanwhile.
      if (error instanceof RequestError && error.code === "conflict") this.#scheduleKey = "";
      if (error instanceof RequestError && error.code === "invalid_upload") this.#attachments.uploadAgain();
      this.#showError(describeError(error));
    } finally {
      this.#isScheduling = this.#text.readOnly = false;
    }
    this.#text.focus();
  }

  /** Wait for the files. Returns null if one cannot be uploaded, or if the message is sent or scheduled meanwhile. */
  async #waitForFiles() {
    this.#endWaiting();
    const { signal } = (this.#waiting = new AbortController());
    this.#text.readOnly = true;
    this.#showError(null);
    this.#notice.textContent = this.#attachments.isEmpty
      ? ""
      : "The message is scheduled once its files are uploaded. Stay on this page until then.";
    const files = await this.#attachments.waitForReferences(signal);
    if (signal.aborted) return null;
    this.#endWaiting();
    return this.validate() ? files : null;
  }

  #endWaiting() {
    this.#waiting.abort();
    this.#text.readOnly = false;
    this.#notice.textContent = "";
  }

  /** @param {SubmitEvent} event */
  #onSubmit(event) {
    event.preventDefault();
    const isValid = this.validate();
    this.#text.focus();
    if (!isValid) return;
    if (isCommand(this.#text.value, this.#conversation)) this.#run(this.#text.value);
    else this.#confirmMentionAll(() => this.#send());
  }

  /**
   * Ask before a large room is notified.
   *
   * @param {() => void} action
   */
  #confirmMentionAll(action) {
    if (!this.#mentionAllDialog || !mentionsAll(this.#text.value)) return action();
    this.#confirm = action;
    this.#mentionAllDialog.showModal();
  }

  #onMentionAllClose() {
    const dialog = /** @type {HTMLDialogElement} */ (this.#mentionAllDialog);
    if (dialog.returnValue === "send") this.#confirm();
    dialog.returnValue = "";
    this.#text.focus();
  }

  #send() {
    if (this.#isScheduling) return;
    const draft = this.#draft.take();
    const files = this.#attachments.take(draft.client_id);
    this.#outbox.add(this.#conversation, this.#text.value.trim() && this.#text.value, {
      ...this.#place,
      ...draft,
      ...files,
    });
    this.#clear();
    this.#form.dispatchEvent(new Event("message:submitted"));
  }

  /**
   * Run a command. If that fails, it stays in the field.
   *
   * @param {string} content
   */
  async #run(content) {
    try {
      const done = await this.#connection.request("run_command", {
        conversation: this.#conversation,
        content,
        zone: findReaderZone(),
      });
      if (this.#text.value === content) this.#clear();
      if (done.left) location.assign("/rooms");
      this.#notice.textContent = done.notice;
    } catch (error) {
      this.#showError(describeError(error));
    }
  }

  #clear() {
    this.#endWaiting();
    this.#scheduleKey = "";
    this.#text.value = "";
    this.#replyBar.clear();
    const alsoInRoom = this.#alsoInRoom;
    if (alsoInRoom) alsoInRoom.checked = false;
    this.#onInput();
  }

  /** Where the message belongs. */
  get #place() {
    const { seq: reply_to } = this.#replyBar;
    return {
      ...(reply_to === undefined ? {} : { reply_to }),
      ...(this.#thread === null ? {} : { thread: this.#thread, also_in_room: this.#alsoInRoom?.checked ?? false }),
    };
  }

  /** @returns {HTMLInputElement | null} */
  get #alsoInRoom() {
    return this.#form.querySelector("[name=also_in_room]");
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    // In an input method Enter selects a word. Safari reports this only by the key code.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key !== "Enter" || event.shiftKey || isComposing) return;
    event.preventDefault();
    this.#form.requestSubmit();
  }

  #onInput() {
    this.#showError(null);
    this.#notice.textContent = "";
    this.#fitHeight();
    this.#draft.onInput();
  }

  /** The draft that the server has rendered. A text that it has refused is none. */
  get #storedDraft() {
    const version = Number(this.#text.dataset.draftVersion);
    return { content: version ? this.#text.defaultValue : "", version };
  }

  /** @param {string | null} text */
  #showError(text) {
    this.#error.textContent = text ?? "";
    this.#error.hidden = !text;
  }

  /** Grow with the text, in browsers without `field-sizing`. The style sheet sets the limit. */
  #fitHeight() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
