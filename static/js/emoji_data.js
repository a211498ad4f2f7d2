// The emoji with their names, loaded from the server when they are used first.

import { readEmoji } from "./core/emoji_search.js";
import { find } from "./dom.js";

/** @import { Emoji } from "./core/emoji_search.js" */

/** @type {Promise<Emoji[]> | null} */
let loading = null;

/** Return all emoji. Rejects without a connection, and tries again the next time. */
export function loadEmoji() {
  loading ??= load();
  loading.catch(() => {
    loading = null;
  });
  return loading;
}

async function load() {
  const response = await fetch(find(document, "[data-emoji-picker]").dataset.source ?? "");
  if (!response.ok) throw new Error(response.statusText);
  return readEmoji(await response.json());
}
