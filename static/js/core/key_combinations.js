// Key combinations as shortcuts write them: "Mod+K", "Alt+Shift+ArrowDown", "?". "Mod" is Ctrl, on a Mac ⌘.

/** @typedef {Pick<KeyboardEvent, "key" | "code" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">} Keys */

const LAST_ASCII = "\x7f";

const MAC_NAMES = { Mod: "⌘", Alt: "⌥", Shift: "⇧" };
const NAMES = { Mod: "Ctrl", Escape: "Esc", ArrowUp: "↑", ArrowDown: "↓" };

/**
 * Return whether an event is this combination.
 *
 * @param {Keys} event
 * @param {string} combination
 * @param {boolean} isMac
 */
export function matchesKeys(event, combination, isMac) {
  const { key, modifiers } = parse(combination);
  const [mod, other] = isMac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  if (other || mod !== modifiers.has("Mod") || event.altKey !== modifiers.has("Alt")) return false;
  // Some keyboards have characters such as "?" and "/" beside Shift, others not.
  if (!isSymbol(key) && event.shiftKey !== modifiers.has("Shift")) return false;
  return event.key.toLowerCase() === key.toLowerCase() || isForeignKey(event, key);
}

/**
 * Return whether the combination writes a character in a text field.
 *
 * @param {string} combination
 */
export const isCharacter = (combination) => combination.length === 1;

/**
 * Return the names of the keys.
 *
 * @param {string} combination
 * @param {boolean} isMac
 */
export const nameKeys = (combination, isMac) =>
  combination.split("+").map((key) => ({ ...NAMES, ...(isMac ? MAC_NAMES : {}) })[key] ?? key);

/** @param {string} combination */
function parse(combination) {
  const end = combination.lastIndexOf("+");
  return { key: combination.slice(end + 1), modifiers: new Set(combination.slice(0, Math.max(end, 0)).split("+")) };
}

/** @param {string} key */
const isSymbol = (key) => /^[^\p{L}\p{N}]$/u.test(key);

/**
 * Return whether the keyboard has another letter than a Latin one in the place of this key.
 *
 * @param {Keys} event
 * @param {string} key
 */
const isForeignKey = (event, key) => event.code === `Key${key}` && event.key > LAST_ASCII;
