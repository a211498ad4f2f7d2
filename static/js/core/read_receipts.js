// Decides under which message each person's read receipt is shown.

/** @import { ReadReceipt } from "../protocol.js" */

/**
 * Return the people to show, by the `seq` of the message: each person is shown under the last message that they have
 * read, unless they wrote it.
 *
 * @param {Iterable<ReadReceipt>} receipts
 * @param {{seq: number, senderId: string}[]} messages in the order of `seq`
 * @returns {Map<number, ReadReceipt[]>}
 */
export function placeReceipts(receipts, messages) {
  /** @type {Map<number, ReadReceipt[]>} */
  const people = new Map();
  for (const receipt of receipts) {
    const message = messages.findLast((candidate) => candidate.seq <= receipt.seq);
    if (!message || message.senderId === String(receipt.id)) continue;
    people.set(message.seq, [...(people.get(message.seq) ?? []), receipt]);
  }
  return people;
}
