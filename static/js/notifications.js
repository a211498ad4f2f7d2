// Desktop notifications and the sound of new messages, in browsers where the person has switched them on.

import { watchNewMessages } from "./core/new_messages.js";
import { isNotable, isQuiet } from "./core/notification_rules.js";
import { followNotificationClicks, showNotification } from "./desktop_notification.js";
import { find, parseHtml } from "./dom.js";
import { isAllowed } from "./notification_settings.js";
import { playSound } from "./notification_sound.js";
import { messagePath } from "./paths.js";
import { preferencesOf } from "./sidebar.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { NewMessage } from "./core/new_messages.js" */
/** @import { NotificationSettingsStore } from "./notification_settings.js" */
/** @import { Sidebar } from "./sidebar.js" */

/** Time in which a page that has the conversation on screen, on any device of the person, marks it as read. */
const GRACE_MS = 1_500;

/** Time in which no other tab of the browser announces the same message. */
const LOCK_MS = 10_000;

export class Notifications {
  #sidebar;
  #userId;
  #store;
  /** @type {Map<string, number>} last read message by conversation, of those that were read since the page was opened */
  #lastRead = new Map();

  /**
   * @param {Connection} connection
   * @param {Sidebar} sidebar
   * @param {number} userId
   * @param {NotificationSettingsStore} store
   */
  constructor(connection, sidebar, userId, store) {
    this.#sidebar = sidebar;
    this.#userId = userId;
    this.#store = store;
    connection.on("unread_changed", (state) => this.#lastRead.set(state.conversation, state.last_read_seq));
    connection.on("reminder_changed", ({ state, id, content }) => {
      if (state === "due") this.#notify("Reminder", content || "A message", `reminder:${id}`);
    });
    connection.on("scheduled_changed", ({ state, id, problem }) => {
      if (state === "failed") this.#notify("A scheduled message was not sent", problem ?? "", `scheduled:${id}`);
    });
    followNotificationClicks();
    watchNewMessages(connection, (conversation, message) => this.#onMessage(conversation, message));
  }

  /**
   * @param {string} conversation
   * @param {NewMessage} message
   */
  #onMessage(conversation, message) {
    const { areShown, haveSound } = this.#store.current;
    if (!areShown && !haveSound) return;
    setTimeout(() => this.#announce(conversation, message), GRACE_MS);
  }

  /**
   * Notify of something on the page Scheduled.
   *
   * @param {string} title
   * @param {string} body
   * @param {string} tag
   */
  async #notify(title, body, tag) {
    const settings = this.#store.current;
    if (isQuiet(new Date(), settings) || !(await isFirstTab(tag))) return;
    if (settings.haveSound) playSound();
    if (settings.areShown && isAllowed()) await showNotification(title, { body, tag, icon: iconHref() }, "/scheduled");
  }

  /**
   * The read marker of the room says nothing about its threads.
   *
   * @param {string} conversation
   * @param {NewMessage} message
   */
  #isRead(conversation, { seq, isInRoom }) {
    return isInRoom && seq <= (this.#lastRead.get(conversation) ?? 0);
  }

  /**
   * @param {string} conversation
   * @param {NewMessage} message
   */
  async #announce(conversation, message) {
    const entry = this.#sidebar.find(conversation);
    const settings = this.#store.current;
    if (!entry || isQuiet(new Date(), settings)) return;
    if (this.#isRead(conversation, message) || !isNotable(message, { ...preferencesOf(entry), userId: this.#userId }))
      return;
    if (!(await isFirstTab(`${conversation}:${message.seq}`))) return;
    if (settings.haveSound) playSound();
    if (settings.areShown && isAllowed()) await show(conversation, message.seq, entry);
  }
}

/**
 * @param {string} conversation
 * @param {number} seq
 * @param {HTMLElement} entry
 */
async function show(conversation, seq, entry) {
  const title = find(entry, ".ellipsis").textContent?.trim() ?? "";
  const quote = await fetchQuote(`${messagePath(conversation, seq)}/quote`);
  // Deleted, or the person may not read it any more.
  if (!quote) return;
  const heading = quote.sender === title ? title : `${quote.sender} in ${title}`;
  // A newer message of the same conversation takes its place.
  const options = {
    body: quote.text,
    tag: conversation,
    icon: iconHref(),
  };
  await showNotification(heading, options, entry.getAttribute("href"));
}

const iconHref = () => find(document, "link[rel=icon]", HTMLLinkElement).href;

/** @param {string} path */
async function fetchQuote(path) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok || response.redirected) return null;
  const quote = parseHtml(await response.text());
  return {
    text: find(quote, "p").textContent?.trim() ?? "",
    sender: find(quote, "[data-sender]").textContent?.trim() ?? "",
  };
}

/**
 * Return whether no other tab of this browser announces the message. Where there are no locks, all do: notifications
 * with the same tag replace each other.
 *
 * @param {string} name
 * @returns {Promise<boolean>}
 */
function isFirstTab(name) {
  if (!("locks" in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const hold = async (/** @type {Lock | null} */ lock) => {
      resolve(lock !== null);
      if (lock) await new Promise((end) => setTimeout(end, LOCK_MS));
    };
    navigator.locks.request(`chatapp:notification:${name}`, { ifAvailable: true }, hold).catch(() => resolve(true));
  });
}
