/**
 * How much is unread in each conversation of the sidebar, and in the page's title and icon. The server says how it
 * stands; between two times that it does, what comes is counted here.
 */
export class UnreadCounts {
  #sidebar;
  #userId;
  #title = document.title;
  #icon = document.querySelector("link[rel=icon]");
  #iconHref = this.#icon.href;

  /**
   * @param {import("./connection.js").Connection} connection
   * @param {import("./sidebar.js").Sidebar} sidebar
   */
  constructor(connection, sidebar, userId) {
    this.#sidebar = sidebar;
    this.#userId = userId;
    connection.on("news", (news) => this.#count(news));
    connection.on("chat_message", (message) => this.#countMessage(message));
    connection.on("message_saved", ({ message }) => message && this.#countMessage(message));
    connection.on("unread_changed", (state) => this.#set(state));
    sidebar.addEventListener("refreshed", () => this.#show());
    this.#show();
  }

  #countMessage({ conversation, seq, sender, mentions }) {
    // One that waits for the database is counted when it is saved.
    if (seq !== null) this.#count({ conversation, seq, mentions, sender_id: sender?.id });
  }

  #count({ conversation, seq, sender_id: senderId, mentions }) {
    const entry = this.#sidebar.find(conversation);
    // A conversation that was not there until somebody said something in it.
    if (!entry) return this.#sidebar.refresh();
    if (entry.dataset.hasReadState !== "true" || seq <= Number(entry.dataset.lastEvent)) return;
    entry.dataset.lastEvent = seq;
    if (entry.dataset.kind === "direct") this.#sidebar.raise(entry);
    if (senderId === this.#userId) return;
    const { unread, mentions: named } = entry.querySelector("[data-badge]").dataset;
    this.#draw(entry, Number(unread) + 1, Number(named) + Number(mentions.includes(this.#userId)));
  }

  #set({ conversation, unread, mentions }) {
    const entry = this.#sidebar.find(conversation);
    if (entry) this.#draw(entry, unread, mentions);
  }

  #draw(entry, unread, mentions) {
    const badge = entry.querySelector("[data-badge]");
    Object.assign(badge.dataset, { unread, mentions });
    badge.hidden = unread === 0;
    badge.firstChild.textContent = unread > 99 ? "99+" : unread;
    badge.classList.toggle("is-highlighted", mentions > 0 || entry.dataset.kind === "direct");
    entry.classList.toggle("is-unread", unread > 0);
    this.#show();
  }

  /** What is meant for oneself is counted in the title; the rest is a dot. */
  #show() {
    let count = 0;
    let isUnread = false;
    for (const entry of this.#sidebar.entries) {
      const { unread, mentions } = entry.querySelector("[data-badge]").dataset;
      count += Number(entry.dataset.kind === "direct" ? unread : mentions);
      isUnread ||= unread !== "0";
    }
    const prefix = count > 0 ? `(${count > 99 ? "99+" : count}) ` : isUnread ? "• " : "";
    document.title = prefix + this.#title;
    this.#icon.href = isUnread ? this.#iconHref.replace("icon.svg", "icon-unread.svg") : this.#iconHref;
  }
}
