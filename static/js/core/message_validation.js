// The server's rules for a message's content, checked before sending so that the text stays in the composer.

/**
 * Return why the server would reject this content, or null.
 *
 * @param {string} content
 * @param {number} maxChars
 * @param {{hasFiles?: boolean}} [options] whether the message has files: it needs no text then
 */
export function validateContent(content, maxChars, { hasFiles = false } = {}) {
  if (content.trim() === "" && !hasFiles) return "Write a message first.";
  if (content.includes("\0") || hasLoneSurrogate(content))
    return "The message contains a character that can’t be sent.";
  const length = [...content].length;
  if (length > maxChars) return `The message is too long: ${length} characters, the limit is ${maxChars}.`;
  return null;
}

/**
 * With the `u` flag a surrogate matches only outside a pair.
 *
 * @param {string} text
 */
const hasLoneSurrogate = (text) => /\p{Surrogate}/u.test(text);
