// The toolbar of the message under the mouse, with the keyboard focus, or whose "…" was touched.

import { isWithinLimit } from "./core/time_limits.js";
import { cloneTemplate, closest, find, findAll } from "./dom.js";
import { setPreviewRemovalEnabled } from "./link_previews.js";
import { findMessages, isSentBy, messageOf, seqOf } from "./message_element.js";
import { messagePath, threadPath } from "./paths.js";
import { setReactionsEnabled } from "./reactions.js";

/** On touch screens, where nothing hovers, each message has a "…" button. */
const IS_TOUCH = matchMedia("(hover: none)").matches;

/**
 * There is one toolbar on the page, which moves between messages. Messages form a roving tab stop: Tab reaches one of
 * them, at first the newest, and the arrow keys move to the others.
 */
export class MessageToolbar {
  element;
  list;
  userId;
  /** @type {HTMLElement | null} the message that the toolbar belongs to */
  message = null;
  /** The popover with the actions that are not in the toolbar. */
  menu;
  #main;
  /** What the toolbar opens; while one of them is open, the toolbar stays. */
  #popovers;
  /** @type {HTMLElement | null} the message that Tab reaches */
  #tabStop = null;

  /**
   * @param {HTMLElement} main
   * @param {HTMLElement} list
   * @param {HTMLElement} picker the popover with reactions
   * @param {number} userId
   * @param {AbortSignal} signal
   */
  constructor(main, list, picker, userId, signal) {
    this.element = find(main, "[data-message-toolbar]");
    this.userId = userId;
    this.#main = main;
    this.list = list;
    this.menu = find(main, "[data-message-menu]");
    this.#popovers = [picker, this.menu, find(main, "[data-remind-menu]")];

    // The time for editing may have ended since the toolbar was shown.
    this.menu.addEventListener("beforetoggle", () => this.message && this.#showActions(this.message));
    list.addEventListener("pointerover", (event) => this.#onPointerOver(event));
    list.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#onLeave());
    list.addEventListener("focusin", ({ target }) => this.#onFocusIn(target));
    list.addEventListener("focusout", ({ relatedTarget }) => isInside(list, relatedTarget) || this.#onLeave());
    list.addEventListener("keydown", (event) => this.#onKeydown(event));
    list.addEventListener("click", ({ target }) => closest(target, "[data-more]") && this.#show(messageOf(target)));
    list.addEventListener("message:arrived", ({ detail }) => this.#onArrived(detail));
    list.addEventListener("message:replaced", ({ detail }) => this.#onReplaced(detail));
    main.addEventListener("permissions:changed", () => this.#onPermissionsChanged());
    document.addEventListener("pointerdown", ({ target }) => this.#isOutside(target) && this.hide(), { signal });
  }

  /**
   * Enable the actions of a message that was added to the list.
   *
   * @param {HTMLElement} message
   */
  prepare(message) {
    this.#updateTabStop(message);
    const isUsable = this.#isUsable(message);
    setReactionsEnabled(message, isUsable && this.#mayPost);
    setPreviewRemovalEnabled(message, isUsable && this.#mayRemovePreviews(message));
    const more = message.querySelector("[data-more]");
    if (isUsable && IS_TOUCH && !more) message.append(cloneTemplate("message-more"));
    if (!isUsable) more?.remove();
  }

  /** @param {HTMLElement} message */
  #updateTabStop(message) {
    message.tabIndex = message === this.#tabStop ? 0 : -1;
    if (!this.#tabStop?.isConnected) this.#setTabStop(findMessages(this.list).at(-1) ?? null);
  }

  hide() {
    for (const popover of this.#openPopovers) popover.hidePopover();
    this.element.hidden = true;
    this.message = null;
  }

  /** Hide it after an action on a touch screen, where it would cover what the action has changed. */
  hideAfterTouch() {
    if (IS_TOUCH) this.hide();
  }

  #onPermissionsChanged() {
    this.hide();
    for (const message of findMessages(this.list)) this.prepare(message);
  }

  get #mayPost() {
    return this.#main.dataset.mayPost === "true";
  }

  get #openPopovers() {
    return this.#popovers.filter((popover) => popover.matches(":popover-open"));
  }

  /** @param {HTMLElement} message */
  #isUsable(message) {
    return message.matches("[data-seq]:not(.is-deleted)");
  }

  /** @param {HTMLElement | null} message */
  #show(message) {
    if (message === this.message) return;
    this.hide();
    if (!message || !this.#isUsable(message) || message.matches(".is-editing")) return;
    this.#showActions(message);
    this.element.classList.remove("is-inside");
    message.append(this.element);
    this.element.hidden = false;
    this.message = message;
    const isCutOff = this.element.getBoundingClientRect().top < topOf(closest(message, "[data-timeline]"));
    this.element.classList.toggle("is-inside", isCutOff);
  }

  /**
   * Show the actions that the person may use.
   *
   * @param {HTMLElement} message
   */
  #showActions(message) {
    const isOwn = isSentBy(message, this.userId);
    const mayModerate = this.#main.dataset.mayModerate === "true";
    for (const name of ["react", "reply"]) find(this.element, `[data-${name}]`).hidden = !this.#mayPost;
    const pin = find(this.menu, "[data-pin]");
    pin.hidden = !this.#mayPost || this.#main.dataset.mayPin !== "true";
    find(pin, "span").textContent = "pinned" in message.dataset ? "Unpin" : "Pin";
    this.#linkThread(message);
    const path = messagePath(this.#main.dataset.conversation ?? "", seqOf(message));
    find(this.menu, "[data-forward]", HTMLAnchorElement).href = `${path}/forward`;
    find(this.menu, "[data-edit]").hidden = !this.mayEdit(message);
    const mayDelete = mayModerate || (isOwn && this.#isWithin(message, "deleteSeconds"));
    find(this.menu, "[data-delete]").hidden = !this.#mayPost || !mayDelete;
  }

  /** @param {HTMLElement} message */
  #mayRemovePreviews(message) {
    return this.#mayPost && (this.#main.dataset.mayModerate === "true" || isSentBy(message, this.userId));
  }

  /** @param {HTMLElement} message */
  mayEdit(message) {
    return this.#mayPost && isSentBy(message, this.userId) && this.#isWithin(message, "editSeconds");
  }

  /**
   * @param {HTMLElement} message
   * @param {"editSeconds" | "deleteSeconds"} limit
   */
  #isWithin({ dataset }, limit) {
    return isWithinLimit(dataset.created ?? "", Number(this.#main.dataset[limit]));
  }

  /** @param {HTMLElement} message */
  #linkThread({ dataset }) {
    const { conversation = "", hasThreads } = this.#main.dataset;
    const link = find(this.element, "[data-open-thread]", HTMLAnchorElement);
    link.hidden = !this.#mayPost || hasThreads !== "true";
    link.href = threadPath(conversation, dataset.thread ?? dataset.seq ?? "");
  }

  /** @param {PointerEvent} event */
  #onPointerOver({ target, pointerType }) {
    // A touch ends over whichever message has scrolled there.
    if (pointerType === "mouse" && !this.#isInUse()) this.#show(messageOf(target));
  }

  #onLeave() {
    if (!this.#isInUse()) this.hide();
  }

  /** @param {EventTarget | null} target */
  #onFocusIn(target) {
    const message = messageOf(target);
    if (!message || !(target instanceof Element) || !target.matches(":focus-visible")) return;
    // A permanent link focuses its message. On touch screens the toolbar would cover the text that is to be read.
    const isLinked = IS_TOUCH && target.matches(":target");
    if (!isLinked && !this.element.contains(target)) this.#show(message);
    this.#setTabStop(message);
  }

  #isInUse() {
    return this.#openPopovers.length > 0 || this.element.matches(":has(:focus-visible)");
  }

  /** @param {EventTarget | null} target */
  #isOutside(target) {
    return this.message && ![this.message, ...this.#popovers].some((element) => isInside(element, target));
  }

  /** @param {KeyboardEvent} event */
  #onKeydown(event) {
    const { target, key } = event;
    if (!(target instanceof HTMLElement)) return;
    if (this.element.contains(target)) {
      if (key === "Escape") {
        event.preventDefault();
        this.message?.focus();
      }
      moveFocus(event, findAll(this.element, ":is(button, a):not([hidden])"), { ArrowLeft: -1, ArrowRight: 1 }[key]);
    } else if (target.matches(".message")) {
      moveFocus(event, findMessages(this.list), { ArrowUp: -1, ArrowDown: 1 }[key]);
    }
  }

  /** @param {HTMLElement} message */
  #onArrived(message) {
    if (!this.list.contains(document.activeElement)) this.#setTabStop(message);
  }

  /** @param {HTMLElement | null} message */
  #setTabStop(message) {
    if (this.#tabStop) this.#tabStop.tabIndex = -1;
    this.#tabStop = message;
    if (message) message.tabIndex = 0;
  }

  /**
   * Move the toolbar and the focus to the message's new element.
   *
   * @param {{oldElement: HTMLElement, newElement: HTMLElement}} elements
   */
  #onReplaced({ oldElement, newElement }) {
    const focused = document.activeElement;
    const hadFocus = focused === oldElement || (this.message === oldElement && this.element.contains(focused));
    if (this.#tabStop === oldElement) this.#setTabStop(newElement);
    if (hadFocus) {
      // While the focused button moves, the message has the focus: otherwise `focusout` would hide the toolbar.
      newElement.tabIndex = newElement === this.#tabStop ? 0 : -1;
      newElement.focus({ preventScroll: true });
    }
    if (this.message === oldElement) this.#moveTo(newElement);
    if (hadFocus && focused instanceof HTMLElement && newElement.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
  }

  /** @param {HTMLElement} message */
  #moveTo(message) {
    if (!this.#isUsable(message)) return this.hide();
    message.append(this.element);
    this.#showActions(message);
    this.message = message;
  }
}

/**
 * Move the focus by `step` elements, if the key has one.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} elements
 * @param {number | undefined} step
 */
function moveFocus(event, elements, step) {
  if (step === undefined) return;
  event.preventDefault();
  elements[elements.indexOf(/** @type {HTMLElement} */ (event.target)) + step]?.focus();
}

/** @param {HTMLElement | null} element */
const topOf = (element) => element?.getBoundingClientRect().top ?? 0;

/**
 * @param {HTMLElement} element
 * @param {EventTarget | null} target
 */
const isInside = (element, target) => target instanceof Node && element.contains(target);
