import { enableReactions } from "./reactions.js";

/** Where nothing hovers, each message has a "…" of its own. */
const IS_TOUCH = matchMedia("(hover: none)").matches;

/**
 * The page's one toolbar, which goes to the message that the mouse is over, that the keyboard has reached or whose "…"
 * was touched. The newest message can be reached with Tab, the others from there with the arrows.
 */
export class MessageTools {
  element;
  /** The message that the toolbar stands at. */
  message = null;
  #main;
  #list;
  #menu;
  #userId;
  /** The one message that Tab reaches. */
  #stop = null;

  /** @param {HTMLElement} menu what opens from the toolbar: while it is open, the toolbar stays */
  constructor(main, list, menu, userId) {
    this.element = main.querySelector("[data-message-toolbar]");
    this.#main = main;
    this.#list = list;
    this.#menu = menu;
    this.#userId = userId;

    list.addEventListener("pointerover", (event) => this.#pointed(event));
    list.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#left());
    list.addEventListener("focusin", ({ target }) => this.#focused(target));
    list.addEventListener("focusout", ({ relatedTarget }) => list.contains(relatedTarget) || this.#left());
    list.addEventListener("keydown", (event) => this.#pressed(event));
    list.addEventListener("click", ({ target }) => target.closest("[data-more]") && this.#show(messageOf(target)));
    list.addEventListener("message:arrived", ({ detail }) => this.#arrived(detail));
    list.addEventListener("message:replaced", ({ detail }) => this.#follow(detail));
    document.addEventListener("pointerdown", ({ target }) => this.#isAside(target) && this.hide());
  }

  /** Make a message that has come into the list ready to be used. */
  prepare(message) {
    message.tabIndex = message === this.#stop ? 0 : -1;
    if (!this.#stop?.isConnected) this.#reach([...this.#list.querySelectorAll(".message[data-seq]")].at(-1));
    const isUsable = this.#isUsable(message);
    enableReactions(message, isUsable);
    if (isUsable && IS_TOUCH && !message.querySelector("[data-more]")) {
      message.append(document.getElementById("message-more").content.cloneNode(true));
    }
  }

  hide() {
    if (this.#menu.matches(":popover-open")) this.#menu.hidePopover();
    this.element.hidden = true;
    this.message = null;
  }

  isOwn(message) {
    return message.dataset.senderId === String(this.#userId);
  }

  #isUsable(message) {
    return message.matches("[data-seq]:not(.is-deleted)") && this.#main.dataset.mayPost === "true";
  }

  #show(message) {
    if (message === this.message) return;
    this.hide();
    if (!message || !this.#isUsable(message) || message.matches(".is-editing")) return;
    const isOwn = this.isOwn(message);
    this.element.querySelector("[data-edit]").hidden = !isOwn;
    this.element.querySelector("[data-delete]").hidden = !isOwn && this.#main.dataset.mayManage !== "true";
    message.append(this.element);
    this.element.hidden = false;
    this.message = message;
  }

  #pointed({ target, pointerType }) {
    // A touch ends over whatever it has scrolled there.
    if (pointerType === "mouse" && !this.#isInUse()) this.#show(messageOf(target));
  }

  #left() {
    if (!this.#isInUse()) this.hide();
  }

  #focused(target) {
    if (!target.matches(":focus-visible")) return;
    const message = messageOf(target);
    if (message && !this.element.contains(target)) this.#show(message);
    if (message) this.#reach(message);
  }

  #isInUse() {
    return this.#menu.matches(":popover-open") || this.element.matches(":has(:focus-visible)");
  }

  #isAside(target) {
    return this.message && !this.message.contains(target) && !this.#menu.contains(target);
  }

  #pressed(event) {
    const { target, key } = event;
    const isInTools = this.element.contains(target);
    if (isInTools && key === "Escape") this.message.focus();
    const isVertical = target.matches(".message") && ["ArrowUp", "ArrowDown"].includes(key);
    const isHorizontal = isInTools && ["ArrowLeft", "ArrowRight"].includes(key);
    if (!isVertical && !isHorizontal) return;
    event.preventDefault();
    const candidates = isVertical
      ? this.#list.querySelectorAll(".message[data-seq]")
      : this.element.querySelectorAll("button:not([hidden])");
    const by = ["ArrowUp", "ArrowLeft"].includes(key) ? -1 : 1;
    [...candidates][[...candidates].indexOf(target) + by]?.focus();
  }

  #arrived(message) {
    if (!this.#list.contains(document.activeElement)) this.#reach(message);
  }

  #reach(message) {
    if (this.#stop) this.#stop.tabIndex = -1;
    this.#stop = message ?? null;
    if (message) message.tabIndex = 0;
  }

  /** A message was drawn anew: the toolbar and the focus go along. */
  #follow({ old, fresh }) {
    const focused = document.activeElement;
    const wasFocused = focused === old || (this.message === old && this.element.contains(focused));
    if (this.#stop === old) this.#reach(fresh);
    if (wasFocused) {
      // Something must have the focus while its bearer moves: else it would count as gone from the list.
      fresh.tabIndex = fresh === this.#stop ? 0 : -1;
      fresh.focus({ preventScroll: true });
    }
    if (this.message === old) this.#moveTo(fresh);
    if (wasFocused && fresh.contains(focused)) focused.focus({ preventScroll: true });
  }

  #moveTo(message) {
    if (!this.#isUsable(message)) return this.hide();
    message.append(this.element);
    this.message = message;
  }
}

const messageOf = (target) => target.closest(".message");
