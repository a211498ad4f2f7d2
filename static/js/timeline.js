import { backOff, sleep } from "./backoff.js";

/**
 * Keeps the message list equal to the conversation on the server. It knows the conversation up to its cursor: the next
 * event is drawn, an earlier one merged, and a later one tells that some were missed, so that it asks for them.
 *
 * Dispatches `joined` with what else the answer to a join told, `reset` when the list was replaced, `current` when a catch-up has brought everything, and `refused` when
 * the server shows the conversation no more.
 */
export class Timeline extends EventTarget {
  #list;
  #connection;
  #conversation;
  #cursor;
  #epoch;
  /** Live events that arrived during a catch-up. */
  #held = [];
  #isBehind = false;
  #isAsking = false;

  /**
   * @param {import("./message_list.js").MessageList} list
   * @param {import("./connection.js").Connection} connection
   * @param {{conversation: string, cursor: string, epoch: string}} start what the page was rendered with
   */
  constructor(list, connection, { conversation, cursor, epoch }) {
    super();
    this.#list = list;
    this.#connection = connection;
    this.#conversation = conversation;
    this.#cursor = Number(cursor);
    this.#epoch = epoch;

    connection.on("chat_message", (message) => this.#receive(message));
    connection.on("message_changed", (message) => this.#receive(message));
    connection.on("message_saved", (saved) => this.#saved(saved));
    connection.on("heads", (heads) => this.#compare(heads));
    connection.watch(() => this.#enter());
    window.addEventListener("focus", () => this.catchUp());
    window.addEventListener("online", () => this.catchUp());
    document.addEventListener("visibilitychange", () => document.hidden || this.catchUp());
  }

  /** Ask for what lies after the cursor until there is no more. Where that fails it is tried again. */
  async catchUp() {
    this.#isBehind = true;
    if (this.#isAsking) return;
    this.#isAsking = true;
    for (let failures = 0; this.#isBehind && this.#connection.isConnected;) {
      this.#isBehind = false;
      try {
        this.#cover(await this.#join());
        failures = 0;
      } catch (error) {
        if (error.isFinal) return this.#refused();
        this.#isBehind = true;
        if (this.#connection.isConnected) await sleep(backOff(++failures));
      }
    }
    this.#isAsking = false;
    if (!this.#isBehind) this.#release();
  }

  #refused() {
    this.#isAsking = false;
    this.#held = [];
    this.dispatchEvent(new Event("refused"));
  }

  #join() {
    const place = { conversation: this.#conversation, after: this.#cursor, epoch: this.#epoch };
    return this.#connection.ask("join_chat", place);
  }

  /** Take over the answer to a join: everything from the cursor to `to`. */
  #cover({ messages, pending, readers, answers, reset, to, more, epoch, floor }) {
    if (reset) {
      this.#list.replaceAll(messages, messages.length > 0 && messages[0].seq > floor + 1);
      this.dispatchEvent(new Event("reset"));
    } else {
      for (const message of messages) this.#list.draw(message);
      this.#list.removeUpTo(floor);
    }
    for (const message of pending) this.#list.draw(message);
    this.dispatchEvent(new CustomEvent("joined", { detail: { readers, answers } }));
    this.#cursor = to;
    this.#epoch = epoch;
    this.#isBehind ||= more;
  }

  /** A connection has been made: what was held from the one before is part of what the catch-up brings. */
  #enter() {
    if (!this.#connection.isConnected) return;
    this.#held = [];
    this.catchUp();
  }

  #receive(message) {
    if (message.conversation !== this.#conversation) return;
    if (message.pending) return this.#list.draw(message);
    if (this.#isAsking || message.version > this.#cursor + 1) {
      this.#held.push(message);
      if (!this.#isAsking) this.catchUp();
      return;
    }
    this.#list.draw(message);
    this.#cursor = Math.max(this.#cursor, message.version);
  }

  /** What had waited has its number now, or was refused for good. */
  #saved({ conversation, sender_id: senderId, client_id: clientId, message, error }) {
    if (message) this.#receive(message);
    else if (conversation === this.#conversation) this.#list.refuse(senderId, clientId, error.message);
  }

  #release() {
    const held = this.#held.sort((one, other) => one.version - other.version);
    this.#held = [];
    for (const message of held) this.#receive(message);
    if (!this.#isBehind) this.dispatchEvent(new Event("current"));
  }

  #compare({ epoch, conversations }) {
    const head = conversations[this.#conversation];
    if (!head) return;
    if (epoch !== this.#epoch || head.last_event > this.#cursor) this.catchUp();
    else this.#list.removeUpTo(head.floor);
  }
}
