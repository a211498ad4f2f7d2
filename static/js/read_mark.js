import { isAttentive, onAttention } from "./attention.js";

/** Milliseconds that what is new waits to be marked as read: a burst is marked once. */
const DELAY = 400;

/**
 * Tell the server how far one has read: what is at the end of the list, in sight of somebody who looks. After “mark as
 * unread” nothing is marked until one has looked elsewhere and come back, or writes.
 */
export class ReadMark {
  #list;
  #scroller;
  #connection;
  #conversation;
  #marked;
  #timer = null;
  #isHeld = false;

  /**
   * @param {import("./message_list.js").MessageList} list
   * @param {import("./scroll.js").Scroller} scroller
   * @param {import("./connection.js").Connection} connection
   */
  constructor(list, scroller, connection, { conversation, lastReadSeq }) {
    this.#list = list;
    this.#scroller = scroller;
    this.#connection = connection;
    this.#conversation = conversation;
    // Where all talk with an assistant together nobody has a mark.
    this.#marked = lastReadSeq === "" ? Infinity : Number(lastReadSeq);

    list.element.addEventListener("message:arrived", () => this.#plan());
    scroller.view.addEventListener("scroll", () => this.#plan(), { passive: true });
    connection.watch(() => this.#plan());
    connection.on("unread_changed", (state) => {
      if (state.conversation === conversation) this.#marked = state.last_read_seq;
    });
    onAttention((isHere) => {
      if (!isHere) this.#isHeld = false;
      this.#plan();
    });
  }

  release() {
    this.#isHeld = false;
    this.#plan();
  }

  /** Make a message and what follows unread again. Throws what `Connection.ask` throws. */
  async putBefore(seq) {
    this.#isHeld = true;
    await this.#connection.ask("mark_as_unread", { conversation: this.#conversation, seq });
  }

  #plan() {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.#mark(), DELAY);
  }

  async #mark() {
    this.#timer = null;
    const newest = this.#list.newestSeq;
    const isInSight = isAttentive() && this.#scroller.isAtEnd && this.#connection.isConnected;
    if (this.#isHeld || !isInSight || !(newest > this.#marked)) return;
    try {
      await this.#connection.ask("mark_as_read", { conversation: this.#conversation, seq: newest });
    } catch {
      // What comes next, or a look at the page, tries again.
    }
  }
}

/** “Mark as unread from here”, beside the other things one can do with a message. */
export function offerUnread(tools, mark, line) {
  tools.element.querySelector("[data-mark-unread]").addEventListener("click", async () => {
    const seq = Number(tools.message.dataset.seq);
    tools.hide();
    try {
      await mark.putBefore(seq);
      line.drawAfter(seq - 1);
    } catch {
      mark.release();
    }
  });
}
