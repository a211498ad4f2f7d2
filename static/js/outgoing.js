/**
 * Draw one's unacknowledged messages below the others, with what became of them: being sent, refused, or sent by
 * another tab and not yet arrived here.
 *
 * @param {import("./message_list.js").MessageList} list
 * @param {import("./outbox.js").Outbox} outbox
 */
export class OutgoingMessages {
  #list;
  #outbox;
  #conversation;

  constructor(list, outbox, conversation) {
    this.#list = list;
    this.#outbox = outbox;
    this.#conversation = conversation;

    outbox.addEventListener("change", () => this.draw());
    outbox.addEventListener("acknowledged", ({ detail }) => this.#acknowledged(detail));
    list.element.addEventListener("click", ({ target }) => this.#clicked(target));
    this.draw();
  }

  draw() {
    const entries = this.#outbox.entries.filter((entry) => entry.conversation === this.#conversation);
    for (const entry of entries) this.#drawEntry(entry);
    const kept = new Set(entries.map((entry) => entry.client_id));
    for (const message of this.#list.element.querySelectorAll(".message:not([data-seq], [data-pending])")) {
      if (!kept.has(message.dataset.clientId)) this.#settle(message);
    }
  }

  #drawEntry(entry) {
    if (this.#list.hasStored(entry.client_id)) return;
    const message = this.#list.findOutgoing(entry.client_id) ?? this.#append(entry);
    const state = entry.error ? "failed" : "sending";
    if (message.dataset.state === state) return;
    message.dataset.state = state;
    const status = message.querySelector("[data-status]");
    status.replaceChildren(document.getElementById(`${state}-status`).content.cloneNode(true));
    if (entry.error) status.querySelector("[data-reason]").textContent = `Not sent: ${entry.error}`;
  }

  #append({ client_id, content, created_at }) {
    const message = document.getElementById("outbox-message").content.cloneNode(true).querySelector(".message");
    const created = new Date(created_at).toISOString();
    message.dataset.clientId = client_id;
    message.dataset.created = created;
    message.querySelector(".message-time").dateTime = created;
    message.querySelector(".message-body").textContent = content;
    this.#list.element.append(message);
    return message;
  }

  /** No longer in the outbox: it was either discarded after a refusal, or another tab brought it through. */
  #settle(message) {
    if (message.dataset.state === "failed") {
      message.remove();
    } else {
      message.dataset.state = "sent";
      message.querySelector("[data-status]").replaceChildren();
    }
  }

  #acknowledged({ entry, message }) {
    if (entry.conversation !== this.#conversation) return;
    if (message.deleted_at && message.id === null) this.#list.findOutgoing(entry.client_id)?.remove();
    else this.#list.draw(message);
  }

  #clicked(target) {
    const clientId = target.closest(".message")?.dataset.clientId;
    if (target.closest("[data-retry]")) this.#outbox.retry(clientId);
    if (target.closest("[data-discard]")) this.#outbox.remove(clientId);
  }
}
