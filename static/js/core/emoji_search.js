// Emoji by name: the search of the picker, completion while typing, and what was used last.

/**
 * An emoji in the data of the package emoji-picker-element-data.
 *
 * @typedef {object} EmojiData
 * @property {string} emoji
 * @property {string} annotation
 * @property {number} group
 * @property {number} version of Emoji
 * @property {string[]} [shortcodes]
 * @property {string[]} [tags]
 * @property {{emoji: string, tone: number | number[]}[]} [skins]
 */
/**
 * @typedef {object} Emoji
 * @property {string} emoji
 * @property {string} label
 * @property {string[]} names as one types them between colons
 * @property {string[]} words that it is found by
 * @property {number} group
 * @property {string[]} tones the same in the five skin tones, or none
 * @property {EmojiImage} [image] of a custom emoji, which is its name between colons
 */
/**
 * @typedef {object} EmojiImage
 * @property {string} url
 * @property {string} stillUrl of an image that does not move
 * @property {number} width in pixels
 * @property {number} height
 */
/**
 * A custom emoji, as the server lists it.
 *
 * @typedef {object} CustomEmoji
 * @property {string} name
 * @property {string} url
 * @property {string} still_url of an image that does not move
 * @property {number} width in pixels
 * @property {number} height
 */

/** Many systems have no picture for newer ones. */
const MAX_VERSION = 15;

/** The group of the emoji that admins have added. */
export const CUSTOM = -1;

/** The groups of the data, without that of the bare skin tones, after the custom emoji. */
export const GROUPS = new Map([
  [CUSTOM, "Custom"],
  [0, "Smileys"],
  [1, "People"],
  [3, "Animals and nature"],
  [4, "Food and drink"],
  [5, "Travel and places"],
  [6, "Activities"],
  [7, "Objects"],
  [8, "Symbols"],
  [9, "Flags"],
]);

export const MAX_RECENT = 24;

const UNFINISHED_NAME = /(?:^|[\s(>])[:]([a-z0-9_+-]{2,})$/i;
const IS_EMOJI = /^\p{RGI_Emoji}$/v;

/**
 * Return the emoji that are offered.
 *
 * @param {EmojiData[]} data
 * @returns {Emoji[]}
 */
export const readEmoji = (data) =>
  data
    .filter(({ version, group }) => version <= MAX_VERSION && GROUPS.has(group))
    .map(({ emoji, annotation, group, shortcodes = [], tags = [], skins = [] }) => ({
      emoji: normalize(emoji),
      label: annotation,
      names: shortcodes,
      words: [...annotation.toLowerCase().split(" "), ...shortcodes.flatMap((name) => name.split("_")), ...tags],
      group,
      tones: skins.filter(({ tone }) => typeof tone === "number").map((skin) => skin.emoji),
    }));

/**
 * Return the custom emoji that are offered.
 *
 * @param {CustomEmoji[]} listed
 * @returns {Emoji[]}
 */
export const readCustomEmoji = (listed) =>
  listed.map(({ name, url, still_url: stillUrl, width, height }) => ({
    emoji: `:${name}:`,
    label: name,
    names: [name],
    words: [name, ...name.split(/[_+-]+/)],
    group: CUSTOM,
    tones: [],
    image: { url, stillUrl, width, height },
  }));

/**
 * Return what is inserted between two texts. The name of a custom emoji has no effect directly beside a word.
 *
 * @param {string} emoji
 * @param {string} before
 * @param {string} after
 */
export function separate(emoji, before, after) {
  if (!emoji.startsWith(":")) return emoji;
  return `${/[\w/]$/.test(before) ? " " : ""}${emoji}${/^[\w/]/.test(after) ? " " : ""}`;
}

/**
 * Return the emoji that a query finds, the best ones first.
 *
 * @param {Emoji[]} all
 * @param {string} query
 */
export function searchEmoji(all, query) {
  const parts = query
    .toLowerCase()
    .split(/[\s_:]+/)
    .filter(Boolean);
  const name = parts.join("_");
  return all
    .filter(({ words }) => parts.every((part) => words.some((word) => word.startsWith(part))))
    .map((emoji) => ({ emoji, rank: rankOf(emoji, name) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ emoji }) => emoji);
}

/**
 * Return the name of an emoji that is being typed after a colon before the caret, or null.
 *
 * @param {string} textBeforeCaret
 */
export const findEmojiPrefix = (textBeforeCaret) => UNFINISHED_NAME.exec(textBeforeCaret)?.[1] ?? null;

/**
 * Return an emoji in a skin tone, if it has any.
 *
 * @param {Emoji} emoji
 * @param {number} tone 1 to 5; 0 for none
 */
export const withTone = ({ emoji, tones }, tone) => tones[tone - 1] ?? emoji;

/**
 * Return the emoji that were used last, the latest first.
 *
 * @param {string[]} recent
 * @param {string} emoji
 */
export const addRecent = (recent, emoji) => [emoji, ...recent.filter((other) => other !== emoji)].slice(0, MAX_RECENT);

/**
 * Return how well a name fits: 0 if it is the same.
 *
 * @param {Emoji} emoji
 * @param {string} name
 */
function rankOf({ names, label }, name) {
  if (names.includes(name)) return 0;
  if (names.some((each) => each.startsWith(name))) return 1;
  return label.toLowerCase().includes(name) ? 2 : 3;
}

/**
 * The data has a variation selector behind each emoji. Where it changes nothing, the keyboards of phones omit it.
 *
 * @param {string} emoji
 */
function normalize(emoji) {
  const plain = emoji.replace(/\uFE0F$/, "");
  return IS_EMOJI.test(plain) ? plain : emoji;
}
