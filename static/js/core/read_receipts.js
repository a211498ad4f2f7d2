// Decides under which message each person's read receipt is shown.

/** @import { ReadReceipt } from "../protocol.js" */

/**
 * Return the names to show, by the `seq` of the message: each person is shown under the last message that they have
 * read, unless they wrote it.
 *
 * @param {Iterable<ReadReceipt>} receipts
 * @param {{seq: number, senderId: string}[]} messages in the order of `seq`
 * @returns {Map<number, string[]>}
 */
export function placeReceipts(receipts, messages) {
  /** @type {Map<number, string[]>} */
  const names = new Map();
  for (const { id, name, seq } of receipts) {
    const message = messages.findLast((candidate) => candidate.seq <= seq);
    if (!message || message.senderId === String(id)) continue;
    names.set(message.seq, [...(names.get(message.seq) ?? []), name]);
  }
  return names;
}
