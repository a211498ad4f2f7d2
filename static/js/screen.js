// What the window shows: the current page, and those that were shown before and are kept.

import { showConversation } from "./conversation.js";
import { enableCopyButtons } from "./copy_buttons.js";
import { TypedEventTarget } from "./core/typed_event_target.js";
import { find, findAll } from "./dom.js";
import { messageOf } from "./message_element.js";
import { editNotificationSettings } from "./notification_settings.js";
import { PAGE_LEFT } from "./page_focus.js";
import { PersonPicker } from "./person_picker.js";

/** @import { App } from "./conversation.js" */
/** @import { Page } from "./page.js" */

/** Pages of conversations that are kept with their elements and modules. */
const MAX_KEPT = 12;

/** A page with more unread messages is loaded again, with the banner that leads to the first of them. */
const MAX_MISSED_MESSAGES = 30;

/**
 * Emits `shown` with each page.
 *
 * @extends {TypedEventTarget<{shown: Page}>}
 */
export class Screen extends TypedEventTarget {
  /** @type {Page} */
  page;
  #app;
  /** @type {Map<string, Page>} by path, the most recent last */
  #kept = new Map();
  /** @type {Page | null} the page that the current one, a pane, is shown beside */
  #base = null;
  #opener = "";

  /**
   * @param {Page} page the one that the window was opened with
   * @param {App} app
   */
  constructor(page, app) {
    super();
    this.page = page;
    this.#app = app;
    this.#start();
  }

  /**
   * Return a page that was shown before and can catch up.
   *
   * @param {string} path
   * @param {number} unread messages of its conversation
   */
  find(path, unread) {
    const page = this.#kept.get(path);
    return page && unread <= MAX_MISSED_MESSAGES ? page : null;
  }

  /**
   * Show a page. A thread is shown beside its conversation, if that is on the screen and there is room for both.
   *
   * @param {Page} page
   */
  show(page) {
    const previous = this.page;
    const base = this.#base ?? previous;
    if (page === previous) this.emit("shown", page);
    else if (page === base) this.#closePane();
    else if (isBeside(page, base)) this.#openPane(page, base);
    else {
      if (this.#base) this.#removePane();
      this.#base = null;
      this.#replace(base, page);
    }
  }

  /**
   * Go back to the page beside the pane. Returns whether there is a pane.
   */
  leavePane() {
    const base = this.#base;
    if (!base) return false;
    const { currentEntry } = window.navigation;
    const before = window.navigation.entries()[(currentEntry?.index ?? 0) - 1];
    const url = new URL(base.path, location.href);
    if (before?.url && new URL(before.url).pathname === url.pathname) history.back();
    else window.navigation.navigate(url.href);
    return true;
  }

  /**
   * @param {Page} pane
   * @param {Page} base
   */
  #openPane(pane, base) {
    if (this.#base) this.#removePane();
    else this.#opener = messageOf(document.activeElement)?.id ?? "";
    this.#base = base;
    this.page = pane;
    pane.becomePane();
    pane.currentLinks = base.currentLinks;
    base.main.after(pane.main);
    find(pane.main, "[data-close-pane]").addEventListener("click", () => this.leavePane());
    this.emit("shown", pane);
    showConversation(pane, this.#app);
  }

  #removePane() {
    const pane = this.page;
    pane.emit("left");
    pane.main.remove();
    pane.dispose();
  }

  #closePane() {
    const base = /** @type {Page} */ (this.#base);
    this.#removePane();
    this.#base = null;
    this.page = base;
    this.emit("shown", base);
  }

  /** The message from which the pane was opened, after it was closed. */
  get opener() {
    /** @type {HTMLElement | null} */
    const opener = this.#opener ? this.page.main.querySelector(`#${this.#opener}`) : null;
    this.#opener = "";
    return opener;
  }

  /** Keep no page any longer: they may be out of date, or belong to somebody who has signed out. */
  forget() {
    for (const page of this.#kept.values()) if (page !== this.page && page !== this.#base) page.dispose();
    this.#kept.clear();
  }

  /**
   * @param {Page} previous
   * @param {Page} page
   */
  #replace(previous, page) {
    const isReturning = this.#kept.get(page.path) === page;
    window.dispatchEvent(new Event(PAGE_LEFT));
    previous.emit("left");
    this.page = page;
    page.insert();
    // First all that changes the document, then what asks for its layout.
    this.emit("shown", page);
    if (this.#kept.get(previous.path) !== previous) previous.dispose();
    if (!isReturning) return this.#start();
    this.#keep(page);
    page.emit("returned");
  }

  #start() {
    const { page } = this;
    this.#keep(page);
    enableCopyButtons(document);
    for (const picker of findAll(page.main, "[data-person-picker]")) new PersonPicker(picker);
    const settings = page.main.querySelector("[data-notification-settings]");
    if (settings instanceof HTMLElement) editNotificationSettings(settings, this.#app.notificationSettings);
    const keys = page.main.querySelector("[data-character-keys]");
    if (keys instanceof HTMLElement) this.#app.characterKeys.edit(keys);
    if (page.main.dataset.conversation !== undefined) showConversation(page, this.#app);
  }

  /** @param {Page} page */
  #keep(page) {
    const { path, conversation } = page;
    const older = this.#kept.get(path);
    if (older && older !== page) older.dispose();
    this.#kept.delete(path);
    if (conversation === null) return;
    this.#kept.set(path, page);
    const [oldest] = this.#kept.values();
    if (this.#kept.size <= MAX_KEPT || !oldest) return;
    this.#kept.delete(oldest.path);
    oldest.dispose();
  }
}

/** Close what lies above a page before the page is left: a dialog would be shown again without its backdrop. */
export function closeDialogs() {
  for (const dialog of findAll(document, "dialog[open]")) /** @type {HTMLDialogElement} */ (dialog).close();
}

/** A window of this width has room for a pane. */
const WIDE = matchMedia("(width >= 1000px)");

/**
 * @param {Page} page
 * @param {Page} base
 */
function isBeside({ main: { dataset }, conversation }, base) {
  const isThreadOf = dataset.thread !== undefined && base.main.dataset.thread === undefined;
  return WIDE.matches && isThreadOf && conversation === base.conversation;
}
