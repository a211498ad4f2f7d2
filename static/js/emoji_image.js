// Emoji in buttons and lists, which have labels of their own.

/** @import { Emoji } from "./core/emoji_search.js" */

const LESS_MOTION = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Return what shows an emoji: an image, or the text.
 *
 * @param {Pick<Emoji, "emoji" | "image">} emoji
 * @param {string} [text] the emoji in a skin tone
 */
export function showEmoji({ emoji, image }, text = emoji) {
  if (!image) return document.createTextNode(text);
  const element = document.createElement("img");
  element.className = "custom-emoji";
  element.alt = "";
  element.width = image.width;
  element.height = image.height;
  element.loading = "lazy";
  element.src = LESS_MOTION.matches ? image.stillUrl : image.url;
  return element;
}
