// Moves through a list.

/**
 * Return the next item, or with a `step` of -1 the previous one, that is accepted. The end is followed by the beginning.
 *
 * @template T
 * @param {T[]} items
 * @param {T | undefined} current
 * @param {1 | -1} step
 * @param {(item: T) => boolean} [isAccepted]
 * @returns {T | undefined}
 */
export function findNeighbour(items, current, step, isAccepted = () => true) {
  const others = step === 1 ? items : items.toReversed();
  const index = others.findIndex((item) => item === current);
  return [...others.slice(index + 1), ...others.slice(0, Math.max(index, 0))].find(isAccepted);
}
