import { reasonOf } from "./connection.js";
import { findProblem } from "./content.js";

/**
 * Edit one's own messages where they stand: Enter saves, Escape cancels, Shift + Enter starts a new line. What one has
 * typed stays until the server has it, even if the message is meanwhile drawn anew.
 */
export class MessageEditing {
  #list;
  #tools;
  #changes;
  #limit;
  /** Where the focus returns to, by the form. */
  #origins = new WeakMap();

  /**
   * @param {HTMLElement} list
   * @param {import("./message_tools.js").MessageTools} tools
   * @param {import("./changes.js").Changes} changes
   */
  constructor(list, tools, changes, limit) {
    this.#list = list;
    this.#tools = tools;
    this.#changes = changes;
    this.#limit = limit;

    tools.element.querySelector("[data-edit]").addEventListener("click", () => this.#open(tools.message));
    list.addEventListener("submit", (event) => this.#submitted(event));
    list.addEventListener("click", ({ target }) => target.closest("[data-cancel]") && this.#close(formAt(target)));
    list.addEventListener("keydown", (event) => this.#pressed(event));
    list.addEventListener("message:replaced", ({ detail }) => this.#follow(detail));
  }

  editLast() {
    const messages = [...this.#list.querySelectorAll(".message[data-seq]:not(.is-deleted)")];
    const last = messages.findLast((message) => this.#tools.isOwn(message));
    if (last) this.#open(last);
  }

  #open(message) {
    if (formIn(message)) return formIn(message).content.focus();
    this.#tools.hide();
    const form = document.getElementById("message-edit").content.cloneNode(true).firstElementChild;
    form.content.value = contentOf(message);
    message.querySelector(".message-content").after(form);
    message.classList.add("is-editing");
    this.#origins.set(form, document.activeElement);
    form.content.focus();
    form.content.setSelectionRange(form.content.value.length, form.content.value.length);
    form.scrollIntoView({ block: "nearest" });
  }

  #close(form) {
    const message = form.closest(".message");
    form.remove();
    message.classList.remove("is-editing");
    this.#tools.prepare(message);
    // The toolbar's button is hidden by now, the composer is not.
    const origin = this.#origins.get(form);
    (origin.matches("textarea") && origin.isConnected ? origin : message).focus();
  }

  #pressed(event) {
    const form = formAt(event.target);
    if (!form || event.target !== form.content || event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") this.#close(form);
    else if (event.key === "Enter" && !event.shiftKey) form.requestSubmit();
    else return;
    event.preventDefault();
  }

  #submitted(event) {
    const form = formAt(event.target);
    if (!form) return;
    event.preventDefault();
    if (form.ariaBusy !== "true") this.#save(form);
  }

  async #save(form) {
    const content = form.content.value;
    const message = form.closest(".message");
    const isSame = content === contentOf(message) && !message.matches(".is-deleted");
    if (isSame) return this.#close(form);
    const problem = findProblem(content, this.#limit);
    say(form, "error", problem);
    if (problem) return;
    form.ariaBusy = "true";
    form.content.readOnly = true;
    try {
      const changed = await this.#changes.ask("edit_message", Number(message.dataset.seq), { content });
      this.#close(form);
      this.#changes.draw(changed);
    } catch (error) {
      say(form, "error", reasonOf(error));
    }
    form.ariaBusy = null;
    form.content.readOnly = false;
  }

  #follow({ old, fresh }) {
    const form = formIn(old);
    if (!form) return;
    const isFocused = form.contains(document.activeElement);
    fresh.querySelector(".message-content").after(form);
    fresh.classList.add("is-editing");
    if (isFocused) form.content.focus();
    if (form.ariaBusy === "true") return;
    if (fresh.matches(".is-deleted")) say(form, "notice", "This message was deleted meanwhile.");
    else if (contentOf(fresh) !== contentOf(old)) say(form, "notice", `It was changed meanwhile: ${contentOf(fresh)}`);
  }
}

function say(form, kind, words) {
  const place = form.querySelector(`[data-${kind}]`);
  place.hidden = !words;
  place.textContent = words ?? "";
}

/** What was written: the server draws it unchanged, with links in it. */
const contentOf = (message) => message.querySelector(".message-body").textContent;

const formIn = (message) => message.querySelector(".message-edit");

const formAt = (target) => target.closest(".message-edit");
