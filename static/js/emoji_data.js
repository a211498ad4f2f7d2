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

/** Load the custom emoji the next time that they are used. */
export function forgetEmoji() {
  loading = null;
}

/** Return the custom emoji, as they are now. Rejects without a connection. */
export async function loadCustomEmoji() {
  /** @type {CustomEmoji[]} */
  const listed = await request(sources().customSource);
  return readCustomEmoji(listed);
}

async function load() {
  standard ??= request(sources().source).then(readEmoji);
  const custom = loadCustomEmoji();
  return [...(await custom), ...(await standard)];
}

function sources() {
  const { source = "", customSource = "" } = find(document, "[data-emoji-picker]").dataset;
  return { source, customSource };
}

/** @param {string} url */
async function request(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(response.statusText);
  return response.json();
}
