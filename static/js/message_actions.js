// Requests changes to stored messages, and shows the result or the error.

import { describeError } from "./core/connection.js";
import { cloneTemplate, find } from "./dom.js";

/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { MessageList } from "./message_list.js" */
/** @import { Requests, StoredMessage } from "./protocol.js" */

/** @typedef {"edit_message" | "delete_message" | "undelete_message" | "react" | "pin_message" | "remove_previews" | "stop_answer" | "answer_again"} Action */

/**
 * @template {Action} Name
 * @typedef {Omit<Requests[Name]["payload"], "conversation">} ActionPayload
 */

export class MessageActions {
  #messages;
  #connection;
  #conversation;

  /**
   * @param {Pick<MessageList, "find" | "show">} messages
   * @param {PageConnection} connection
   * @param {string} conversation
   */
  constructor(messages, connection, conversation) {
    this.#messages = messages;
    this.#connection = connection;
    this.#conversation = conversation;
  }

  /**
   * Return the changed message. Throws what `Connection.request` throws.
   *
   * @template {Action} Name
   * @param {Name} action
   * @param {ActionPayload<Name>} payload
   * @returns {Promise<StoredMessage>}
   */
  async request(action, payload) {
    const request = /** @type {Requests[Name]["payload"]} */ ({ conversation: this.#conversation, ...payload });
    const { message } = await this.#connection.request(action, request);
    return message;
  }

  /** @param {StoredMessage} message */
  show(message) {
    this.#messages.show(message);
  }

  /**
   * Request a change and show the changed message, or an error below the message. Returns whether it succeeded.
   *
   * @template {Action} Name
   * @param {Name} action
   * @param {ActionPayload<Name>} payload
   */
  async perform(action, payload) {
    try {
      const message = await this.request(action, payload);
      this.#showError(payload.seq, null);
      this.show(message);
      return true;
    } catch (error) {
      this.#showError(payload.seq, describeError(error));
      return false;
    }
  }

  /**
   * @param {number} seq
   * @param {string | null} text
   */
  #showError(seq, text) {
    const message = this.#messages.find(seq);
    message?.querySelector(":scope > .message-error")?.remove();
    if (!message || text === null) return;
    const error = find(cloneTemplate("message-error"), ".message-error");
    // Filled after it is on the page: screen readers announce a change of an alert.
    message.append(error);
    error.textContent = text;
  }
}
