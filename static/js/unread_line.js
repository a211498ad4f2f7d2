import { isAttentive, onAttention } from "./attention.js";

/** Further back one reads from the first unread message on, in place of loading all that lies between. */
const LOADED_AT_MOST = 500;

/** Messages above the first unread one on the page that begins there. */
const CONTEXT = 5;

/**
 * The line above what one has not read: on a visit, what came since the mark; later, what came while one looked
 * elsewhere. It stays until one writes, or something new comes after a further absence. Where the first unread message
 * is not on the page, a note leads to it.
 */
export class UnreadLine {
  #list;
  #userId;
  #wasAway = !isAttentive();
  #line = null;

  /** @param {import("./message_list.js").MessageList} list */
  constructor(list, { userId, lastReadSeq }) {
    this.#list = list;
    this.#userId = userId;
    list.element.addEventListener("message:arrived", ({ detail }) => this.#arrived(detail));
    onAttention((isHere) => {
      this.#wasAway ||= !isHere;
    });
    if (lastReadSeq === "") return;
    const draw = () => this.#line || this.drawAfter(Number(lastReadSeq));
    draw();
    list.element.addEventListener("message:prepended", draw);
    list.element.addEventListener("message:arrived", () => list.element.removeEventListener("message:prepended", draw));
  }

  remove() {
    this.#line?.remove();
    this.#line = null;
  }

  /** Draw it above the first message of others after this number; returns that message. */
  drawAfter(seq) {
    const messages = [...this.#list.element.querySelectorAll(".message[data-seq]")];
    const first = messages.find((message) => Number(message.dataset.seq) > seq && !this.#isOwn(message));
    // Whether something lies between it and the mark is known only when what lies above is loaded.
    const isWhole = !this.#list.hasOlder || Number(this.#list.oldest?.dataset.seq) <= seq + 1;
    if (first && (first !== messages[0] || isWhole)) this.#drawBefore(first);
    return first;
  }

  /** Everything that was missed is drawn; what comes now comes before the eyes of whoever is here. */
  caughtUp() {
    if (isAttentive()) this.#wasAway = false;
  }

  #arrived(message) {
    if (!this.#wasAway || this.#isOwn(message)) return;
    this.#drawBefore(message);
    this.#wasAway = false;
  }

  #drawBefore(message) {
    this.remove();
    this.#line = document.createElement("li");
    this.#line.className = "unread-divider";
    this.#line.textContent = "New messages";
    message.before(this.#line);
  }

  #isOwn(message) {
    return message.dataset.senderId === String(this.#userId);
  }
}

/**
 * Offer to go to the first unread message, where it lies above what is on the page.
 *
 * @param {UnreadLine} line
 * @param {import("./message_list.js").MessageList} list
 * @param {{loadUntil: (seq: number) => Promise<void>}} history
 */
export function offerFirstUnread(main, line, list, history) {
  const { lastReadSeq, unread } = main.dataset;
  const note = main.querySelector("[data-unread-banner]");
  const link = note.querySelector("a");
  const oldest = Number(list.oldest?.dataset.seq);
  if (lastReadSeq === "" || Number(unread) === 0 || !list.hasOlder || oldest <= Number(lastReadSeq) + 1) return;
  const count = Number(unread) > 99 ? "More than 99" : unread;
  note.querySelector("[data-count]").textContent = `${count} unread messages`;
  note.hidden = false;
  link.href = `?before=${Number(lastReadSeq) + 1 + CONTEXT}`;

  link.addEventListener("click", async (event) => {
    if (Number(list.oldest.dataset.seq) - Number(lastReadSeq) > LOADED_AT_MOST) return;
    event.preventDefault();
    await history.loadUntil(Number(lastReadSeq) + 1);
    line.drawAfter(Number(lastReadSeq))?.scrollIntoView({ block: "center" });
    note.hidden = true;
  });
  note.querySelector("button").addEventListener("click", () => {
    note.hidden = true;
  });
}
