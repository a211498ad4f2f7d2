import { reasonOf } from "./connection.js";

/**
 * Changes to messages that the server has: ask for one, draw what came of it, or say under the message why not.
 */
export class Changes {
  #list;
  #connection;
  #conversation;

  /**
   * @param {import("./message_list.js").MessageList} list
   * @param {import("./connection.js").Connection} connection
   */
  constructor(list, connection, conversation) {
    this.#list = list;
    this.#connection = connection;
    this.#conversation = conversation;
  }

  /** Return the message as it is after the change. Throws what `Connection.ask` throws. */
  async ask(event, seq, details = {}) {
    const answer = await this.#connection.ask(event, { conversation: this.#conversation, seq, ...details });
    return answer.message;
  }

  draw(message) {
    this.#list.draw(message);
  }

  async attempt(event, seq, details) {
    try {
      const message = await this.ask(event, seq, details);
      this.#complain(seq, null);
      this.draw(message);
    } catch (error) {
      this.#complain(seq, reasonOf(error));
    }
  }

  #complain(seq, reason) {
    const message = this.#list.find(seq);
    message?.querySelector(":scope > .message-error")?.remove();
    if (!message || reason === null) return;
    const problem = document.getElementById("message-error").content.cloneNode(true).firstElementChild;
    message.append(problem);
    problem.textContent = reason;
  }
}
