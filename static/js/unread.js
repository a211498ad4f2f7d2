import { localKeep } from "./storage.js";

/**
 * The line above what one has not seen: on a visit, what came since the last one; later, what came while one looked
 * elsewhere. It stays until one writes, or something new comes after a further absence.
 *
 * @param {import("./message_list.js").MessageList} list
 * @param {import("./scroll.js").Scroller} scroller
 */
export class UnreadLine {
  #list;
  #scroller;
  #userId;
  #seenKey;
  #seen = null;
  #wasAway = false;
  #line = null;

  constructor(list, scroller, { conversation, userId }) {
    this.#list = list;
    this.#scroller = scroller;
    this.#userId = userId;
    this.#seenKey = `chatapp:seen:${userId}:${conversation}`;

    list.element.addEventListener("message:arrived", ({ detail }) => this.#arrived(detail));
    window.addEventListener("blur", () => this.#leave());
    window.addEventListener("focus", () => this.#remember());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#leave() : this.#remember()));
    window.addEventListener("pagehide", () => this.#remember());
    scroller.view.addEventListener("scroll", () => this.#remember(), { passive: true });
    this.#drawSinceLastVisit();
    this.#wasAway = !isAttentive();
    this.#remember();
  }

  remove() {
    this.#line?.remove();
    this.#line = null;
  }

  #drawSinceLastVisit() {
    const seen = localKeep.read(this.#seenKey);
    if (seen === null) return;
    const messages = [...this.#list.element.querySelectorAll(".message[data-seq]")];
    const first = messages.find((message) => Number(message.dataset.seq) > Number(seen) && !this.#isOwn(message));
    if (first) this.#drawBefore(first);
  }

  #arrived(message) {
    if (this.#wasAway && !this.#isOwn(message)) {
      this.#drawBefore(message);
      this.#wasAway = false;
    }
    this.#remember();
  }

  #drawBefore(message) {
    this.remove();
    this.#line = document.createElement("li");
    this.#line.className = "new-line";
    this.#line.textContent = "New messages";
    message.before(this.#line);
  }

  /** Everything that was missed is drawn; what comes now comes before the eyes of whoever is here. */
  caughtUp() {
    if (isAttentive()) this.#wasAway = false;
  }

  #leave() {
    this.#wasAway = true;
  }

  /** What is at the end of the list, in sight of somebody who looks, is seen. */
  #remember() {
    if (!isAttentive() || !this.#scroller.isAtEnd) return;
    const newest = this.#list.newestSeq;
    if (!newest || newest === this.#seen) return;
    this.#seen = newest;
    localKeep.write(this.#seenKey, String(newest));
  }

  #isOwn(message) {
    return message.dataset.senderId === String(this.#userId);
  }
}

const isAttentive = () => !document.hidden && document.hasFocus();
