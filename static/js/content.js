/**
 * Say why the server would not take this text, or null. The same rules are the server's; here they keep the text in
 * the composer, where it can be mended.
 */
export function findProblem(text, limit) {
  if (text.trim() === "") return "Write something first.";
  if (text.includes("\0") || hasLoneSurrogate(text)) return "There is a character in it that cannot be sent.";
  const length = [...text].length;
  if (length > limit) return `That is too long: ${length} characters, and ${limit} are possible.`;
  return null;
}

/** With the `u` flag a surrogate matches only where it is not half of a pair. */
const hasLoneSurrogate = (text) => /\p{Surrogate}/u.test(text);
