// Merges two texts that two devices have made of the same one.

/** Stands between the two texts, where both devices have changed the same part. */
export const SEPARATOR = "\n\n--- Also written on another device: ---\n\n";

/**
 * Return a text with the changes of both. Where that is impossible, both texts follow each other: none is lost.
 *
 * @param {string} base the text that both have begun with
 * @param {string} mine
 * @param {string} theirs
 */
export function mergeDrafts(base, mine, theirs) {
  if (theirs === base || mine.includes(theirs)) return mine;
  if (mine === base || theirs.includes(mine)) return theirs;
  const [myEdit, theirEdit] = [findEdit(base, mine), findEdit(base, theirs)];
  const [first, second] = myEdit.start < theirEdit.start ? [myEdit, theirEdit] : [theirEdit, myEdit];
  if (first.end >= second.start) return mine + SEPARATOR + theirs;
  return (
    base.slice(0, first.start) + first.text + base.slice(first.end, second.start) + second.text + base.slice(second.end)
  );
}

/**
 * Return the part of a text that was replaced, from its first to its last change, and by what.
 *
 * @param {string} base
 * @param {string} changed
 */
function findEdit(base, changed) {
  const shorter = Math.min(base.length, changed.length);
  let start = 0;
  while (start < shorter && base[start] === changed[start]) start++;
  let same = 0;
  while (same < shorter - start && base.at(-1 - same) === changed.at(-1 - same)) same++;
  return { start, end: base.length - same, text: changed.slice(start, changed.length - same) };
}
