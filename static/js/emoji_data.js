// The emoji with their names, loaded from the server when they are used.

import { readCustomEmoji, readEmoji } from "./core/emoji_search.js";
import { find } from "./dom.js";

/** @import { CustomEmoji, Emoji } from "./core/emoji_search.js" */

/** Time after which it is asked again for the custom emoji: admins may have changed them. */
const MAX_AGE_MS = 15_000;

/** @type {Promise<Emoji[]> | null} */
let standard = null;

/** @type {Promise<Emoji[]> | null} */
let loading = null;

let loadedAt = 0;

/** Return all emoji, the custom ones first. Rejects without a connection, and tries again the next time. */
export function loadEmoji() {
  if (performance.now() > loadedAt + MAX_AGE_MS) loading = null;
  if (!loading) loadedAt = performance.now();
  loading ??= load();
  loading.catch(() => {
    loading = standard = null;
  });
  return loading;
}

async function load() {
  const { source = "", customSource = "" } = find(document, "[data-emoji-picker]").dataset;
  standard ??= request(source).then(readEmoji);
  const custom = request(customSource).then((/** @type {CustomEmoji[]} */ listed) => readCustomEmoji(listed));
  return [...(await custom), ...(await standard)];
}

/** @param {string} url */
async function request(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}
