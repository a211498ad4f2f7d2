// Keeps the page's message list equal to the conversation on the server.

import { backoffDelay, sleep } from "./backoff.js";
import { RequestError } from "./connection.js";
import { TypedEventTarget } from "./typed_event_target.js";

/** @import { CatchUp, Message, SavedMessage } from "../protocol.js" */
/** @import { FormattedMessage, ServerEvents, StoredMessage } from "../protocol.js" */
/** @import { Connection } from "./connection.js" */

/**
 * @typedef {object} MessageView where the messages are shown
 * @property {(message: Message) => void} show adds a message, or replaces an older version of it
 * @property {(messages: StoredMessage[], hasOlder: boolean) => void | Promise<number | null>} replaceAll shows
 *   only these messages. A view that loads them itself returns the cursor of what it has loaded, or null if it is empty.
 * @property {(floor: number) => void} removeUpTo
 * @property {(message: FormattedMessage) => void} showFormatted shows the text of a message formatted, if it is shown
 * @property {(senderId: number, clientId: string, reason: string) => void} rejectPending
 */

/**
 * @typedef {object} TimelineEvents
 * @property {Pick<CatchUp, "readers" | "answers" | "messages" | "pins" | "floor"> & {isPublic: boolean}} joined
 * @property {void} reset
 * @property {void} current
 * @property {void} closed
 */

/**
 * The page knows the conversation up to its cursor. An event with the next version is shown, an earlier one is merged,
 * and a later one means that some were missed: then the page requests what follows the cursor.
 *
 * Emits `joined` with a catch-up, `reset` when the list was replaced, `current` when a
 * catch-up has fetched everything, and `closed` when the server no longer shows the conversation to this person.
 *
 * @extends {TypedEventTarget<TimelineEvents>}
 */
export class Timeline extends TypedEventTarget {
  #view;
  #connection;
  #conversation;
  #cursor;
  #epoch;
  /** @type {StoredMessage[]} events that arrived during a catch-up */
  #buffer = [];
  #isBehind = false;
  #isCatchingUp = false;
  #wantsLatest = false;
  #thread;

  /**
   * @param {MessageView} view
   * @param {Pick<Connection, "isConnected" | "on" | "request" | "watchState">} connection
   * @param {object} page what the page was rendered with
   * @param {string} page.conversation
   * @param {number} page.cursor
   * @param {string} page.epoch
   * @param {number | null} [page.thread] the number of the first message of the thread that the page shows
   */
  constructor(view, connection, { conversation, cursor, epoch, thread = null }) {
    super();
    this.#view = view;
    this.#thread = thread;
    this.#connection = connection;
    this.#conversation = conversation;
    this.#cursor = cursor;
    this.#epoch = epoch;

    connection.on("chat_message", (message) => this.#onMessage(message));
    connection.on("message_changed", (message) => this.#onMessage(message));
    connection.on("message_formatted", (formatted) => this.#onFormatted(formatted));
    connection.on("message_saved", (saved) => this.#onSaved(saved));
    connection.on("heads", (heads) => this.#onHeads(heads));
    connection.watchState((state) => state === "connected" && this.#onConnect());
  }

  /** Fetch what follows the cursor until there is no more. Failures are retried. */
  async catchUp() {
    this.#isBehind = true;
    if (this.#isCatchingUp) return;
    this.#isCatchingUp = true;
    for (let failures = 0; this.#isBehind && this.#connection.isConnected;) {
      this.#isBehind = false;
      try {
        const caughtUp = await this.#fetch();
        const loading = this.#replaceAll(caughtUp);
        // It waits only for a view that loads: no event may arrive between the parts of an update.
        this.#apply(caughtUp, loading ? await loading : null);
        failures = 0;
      } catch (error) {
        if (error instanceof RequestError && error.isPermanent) return this.#close();
        this.#isBehind = true;
        if (this.#connection.isConnected) await sleep(backoffDelay(++failures));
      }
    }
    this.#isCatchingUp = false;
    if (!this.#isBehind) this.#flushBuffer();
  }

  /** Show the latest messages instead of those that are loaded. */
  async showLatest() {
    this.#wantsLatest = true;
    await this.catchUp();
  }

  #fetch() {
    const conversation = this.#conversation;
    const position = this.#wantsLatest ? {} : { after: this.#cursor, epoch: this.#epoch };
    return this.#connection.request("join_chat", { conversation, ...position });
  }

  /**
   * @param {CatchUp} catchUp
   * @returns what the view returns
   */
  #replaceAll({ reset, messages, floor }) {
    if (!reset) return;
    const [oldest] = messages;
    return this.#view.replaceAll(
      messages.filter((message) => isIn(message, this.#thread)),
      oldest !== undefined && oldest.seq > floor + 1,
    );
  }

  /**
   * Apply all events from the cursor to `to`.
   *
   * @param {CatchUp} catchUp
   * @param {number | null} loadedCursor the cursor of what the view has loaded itself
   */
  #apply(
    { messages, pending, readers, answers, pins, is_public: isPublic, reset, to, more, epoch, floor },
    loadedCursor,
  ) {
    if (reset) {
      this.#wantsLatest = false;
      this.emit("reset");
    } else {
      for (const message of messages) this.#show(message);
      this.#view.removeUpTo(floor);
    }
    for (const message of pending) this.#show(message);
    this.emit("joined", { readers, answers, messages, pins, floor, isPublic });
    this.#cursor = loadedCursor ?? to;
    this.#isBehind ||= more;
    if (epoch !== this.#epoch) this.#beginEpoch(epoch);
  }

  /**
   * Fetch again what has arrived after the cursor: it may be of the former epoch, whose events are not on the server.
   *
   * @param {string} epoch
   */
  #beginEpoch(epoch) {
    this.#epoch = epoch;
    this.#isBehind ||= this.#buffer.some(({ version }) => version > this.#cursor);
    this.#buffer = [];
  }

  /**
   * All events have a number, but the page leaves out what belongs to another place of the conversation.
   *
   * @param {Message} message
   */
  #show(message) {
    if (isIn(message, this.#thread)) this.#view.show(message);
  }

  #close() {
    this.#isCatchingUp = false;
    this.#buffer = [];
    this.emit("closed");
  }

  #onConnect() {
    // The catch-up includes what was buffered on the previous connection.
    this.#buffer = [];
    this.catchUp();
  }

  /** @param {Message} message */
  #onMessage(message) {
    if (message.conversation !== this.#conversation) return;
    if (message.pending) return this.#show(message);
    if (this.#isCatchingUp || message.version > this.#cursor + 1) {
      this.#buffer.push(message);
      if (!this.#isCatchingUp) this.catchUp();
      return;
    }
    this.#show(message);
    this.#cursor = Math.max(this.#cursor, message.version);
  }

  /** @param {ServerEvents["message_formatted"]} formatted */
  #onFormatted({ conversation, ...formatted }) {
    if (conversation !== this.#conversation) return;
    formatOneOf(this.#buffer, formatted);
    this.#view.showFormatted(formatted);
  }

  /**
   * A pending message was stored, or rejected.
   *
   * @param {SavedMessage} saved
   */
  #onSaved({ conversation, sender_id: senderId, client_id: clientId, message, error }) {
    if (message) this.#onMessage(message);
    else if (conversation === this.#conversation) this.#view.rejectPending(senderId, clientId, error?.message ?? "");
  }

  #flushBuffer() {
    const messages = this.#buffer.sort((a, b) => a.version - b.version);
    this.#buffer = [];
    for (const message of messages) this.#onMessage(message);
    if (!this.#isBehind) this.emit("current");
  }

  /** @param {ServerEvents["heads"]} heads */
  #onHeads({ epoch, conversations }) {
    const head = conversations[this.#conversation];
    if (!head) return;
    if (epoch !== this.#epoch || head.last_event > this.#cursor) this.catchUp();
    else this.#view.removeUpTo(head.floor);
  }
}

/**
 * Return whether a message belongs to the room, or to a thread.
 *
 * @param {Pick<Message, "seq" | "thread" | "in_room">} message
 * @param {number | null} thread the number of its first message; null for the room
 */
export function isIn({ seq, thread: ownThread, in_room: isInRoom }, thread) {
  return thread === null ? isInRoom !== false : seq === thread || ownThread === thread;
}

/**
 * Give a message that waits to be shown its formatted HTML, which arrives after the message itself.
 *
 * @param {StoredMessage[]} waiting
 * @param {FormattedMessage} formatted
 */
export function formatOneOf(waiting, { seq, version, html }) {
  for (const message of waiting) if (message.seq === seq && message.version === version) message.html = html;
}
