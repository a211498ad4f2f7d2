// Completes the names of emoji after a ":".

import { findEmojiPrefix, searchEmoji } from "./core/emoji_search.js";
import { loadEmoji } from "./emoji_data.js";
import { showEmoji } from "./emoji_image.js";

/** @import { Completion } from "./autocomplete.js" */
/** @import { Emoji } from "./core/emoji_search.js" */

/** @type {Emoji[]} */
let all = [];

/** @type {Completion} */
export const emojiCompletion = {
  label: "Emoji",
  findPrefix: findEmojiPrefix,
  load,
  list: (prefix) => searchEmoji(all, prefix).slice(0, 20).map(createOption),
  insertionOf: ({ dataset }) => dataset.emoji ?? "",
  markLength: 1,
};

async function load() {
  const before = all;
  all = await loadEmoji().catch(() => all);
  return all !== before;
}

/**
 * @param {Emoji} each
 * @param {number} index
 */
function createOption(each, index) {
  const { emoji, names, label } = each;
  const option = document.createElement("li");
  option.id = `emoji-option-${index}`;
  option.role = "option";
  option.dataset.emoji = emoji;
  const name = document.createElement("span");
  name.className = "hint";
  name.textContent = names.length > 0 ? `:${names[0]}:` : label;
  option.append(showEmoji(each), " ", name);
  return option;
}
