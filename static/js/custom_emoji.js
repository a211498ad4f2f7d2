// Custom emoji in messages, reactions and lists: an open page shows those that admins add, and the names of deleted ones.

import { isFewNamed } from "./core/emoji.js";
import { findAll } from "./dom.js";
import { forgetEmoji, loadCustomEmoji } from "./emoji_data.js";
import { showEmoji } from "./emoji_image.js";
import { messageOf } from "./message_element.js";

/** @import { Connection } from "./core/connection.js" */
/** @import { EmojiImage } from "./core/emoji_search.js" */
/** @import { Screen } from "./screen.js" */

/** The server marks each name and each image (chatapp/markdown/emoji_names.py). */
const MARK = "span[data-emoji]";

/** All pages of the installation learn of a change at the same time, and request the list within this one. */
const SPREAD_MS = 4_000;

/** Stands for an image. */
const ANY_EMOJI = "\u2B50";

/** @type {Map<string, EmojiImage> | null} by name; null as long as pages arrive with what there is */
let known = null;

/**
 * Show the custom emoji of an element as they are now, if they have changed since the window was opened.
 *
 * @param {ParentNode} root
 */
export function showCustomEmoji(root) {
  if (!known) return;
  /** @type {Set<HTMLElement>} */
  const messages = new Set();
  for (const mark of findAll(root, MARK)) {
    const message = showMark(mark, known.get(mark.dataset.emoji ?? "")) ? messageOf(mark) : null;
    if (message) messages.add(message);
  }
  for (const message of messages) updateSize(message);
}

/**
 * @param {Connection} connection of the window
 * @param {Screen} screen
 */
export function followCustomEmoji(connection, screen) {
  let isStale = false;
  let wasConnected = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function invalidate() {
    // New messages arrive with what there is.
    known = null;
    isStale = true;
    forgetEmoji();
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.random() * SPREAD_MS);
  }

  async function refresh() {
    if (!isStale || !document.querySelector(MARK)) return;
    isStale = false;
    const loaded = await loadCustomEmoji().catch(() => null);
    // It has changed again, or is requested again after the next connection.
    if (!loaded || isStale) return;
    known = new Map(loaded.flatMap(({ names: [name], image }) => (name && image ? [[name, image]] : [])));
    showCustomEmoji(document);
  }

  connection.on("emoji_changed", invalidate);
  connection.watchState((state) => {
    if (state !== "connected") return;
    // A change may have been missed.
    if (wasConnected) invalidate();
    wasConnected = true;
  });
  screen.on("shown", () => {
    showCustomEmoji(document);
    refresh();
  });
}

/**
 * Returns whether anything has changed.
 *
 * @param {HTMLElement} mark
 * @param {EmojiImage | undefined} image
 */
function showMark(mark, image) {
  const url = mark.querySelector("img")?.getAttribute("src");
  if (image ? url === image.url || url === image.stillUrl : !url) return false;
  const emoji = `:${mark.dataset.emoji}:`;
  const shown = showEmoji({ emoji, image });
  if (shown instanceof HTMLImageElement) {
    shown.alt = emoji;
    // The button of a reaction has the people who have reacted.
    if (!mark.closest("[data-reaction]")) shown.title = emoji;
  }
  mark.replaceChildren(shown);
  return true;
}

/** @param {HTMLElement} message */
function updateSize(message) {
  const source = message.querySelector("template[data-source]");
  const body = message.querySelector(".message-body")?.cloneNode(true);
  if (!(source instanceof HTMLTemplateElement) || !(body instanceof HTMLElement)) return;
  for (const mark of findAll(body, MARK)) if (mark.querySelector("img")) mark.textContent = ANY_EMOJI;
  const isFew = isFewNamed(source.content.textContent ?? "", body.textContent ?? "");
  message.classList.toggle("is-few-emoji", isFew && !("answerState" in message.dataset));
}
