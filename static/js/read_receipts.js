// Shows beside each message who has read up to it.

import { placeReceipts } from "./core/read_receipts.js";
import { findAll } from "./dom.js";
import { findMessages, seqOf } from "./message_element.js";

/** @import { ReadReceipt } from "./protocol.js" */
/** @import { PageConnection } from "./core/page_connection.js" */
/** @import { Timeline } from "./core/timeline.js" */
/** @import { MessageList } from "./message_list.js" */

const MAX_AVATARS = 3;

/**
 * @param {MessageList} list
 * @param {PageConnection} connection
 * @param {Timeline} timeline
 * @param {{conversation: string, userId: number}} options
 */
export function showReadReceipts(list, connection, timeline, { conversation, userId }) {
  /** @type {Map<number, ReadReceipt>} */
  const receipts = new Map();
  let isScheduled = false;

  function scheduleRender() {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      render();
    });
  }

  function render() {
    for (const line of findAll(list.element, ".read-receipts")) line.remove();
    const messages = findMessages(list.element).map((message) => ({
      seq: seqOf(message),
      senderId: message.dataset.senderId ?? "",
    }));
    for (const [seq, people] of placeReceipts(receipts.values(), messages)) {
      list.find(seq)?.append(createLine(people));
    }
  }

  /** @param {ReadReceipt} receipt */
  function store(receipt) {
    if (receipt.id !== userId) receipts.set(receipt.id, receipt);
  }

  timeline.on("joined", ({ readers }) => {
    receipts.clear();
    readers.forEach(store);
    scheduleRender();
  });
  connection.on("messages_read", ({ conversation: name, reader }) => {
    if (name !== conversation) return;
    store(reader);
    scheduleRender();
  });
  list.element.addEventListener("message:arrived", scheduleRender);
  list.element.addEventListener("message:replaced", scheduleRender);
}

/** @param {ReadReceipt[]} people */
function createLine(people) {
  const line = document.createElement("p");
  line.className = "read-receipts";
  line.title = `Read by ${people.map(({ name }) => name).join(", ")}`;
  const text = document.createElement("span");
  text.className = "sr-only";
  text.textContent = line.title;
  line.append(text, ...people.slice(0, MAX_AVATARS).map(createAvatar));
  if (people.length > MAX_AVATARS) line.append(` +${people.length - MAX_AVATARS}`);
  return line;
}

/**
 * Create the avatar that templates/layout/_avatar.html renders.
 *
 * @param {ReadReceipt} person
 */
function createAvatar({ id, name, avatar_url: url }) {
  const avatar = document.createElement("span");
  avatar.className = `avatar avatar-hue-${id % 8}`;
  avatar.ariaHidden = "true";
  if (url) {
    const image = document.createElement("img");
    image.src = url;
    image.alt = "";
    avatar.append(image);
    return avatar;
  }
  avatar.textContent = name
    .split(/\s+/)
    .map(([initial]) => initial)
    .slice(0, 2)
    .join("")
    .toUpperCase();
  return avatar;
}
