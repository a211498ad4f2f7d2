// How far a person has read a conversation, by the messages that were on the screen.

/**
 * Return the number up to which all messages of others were seen. The read marker is one number: a message that was seen
 * below others that were not does not move it.
 *
 * @param {Iterable<{seq: number, senderId: string}>} messages those that are loaded, in the order of `seq`
 * @param {object} reader
 * @param {Set<number>} reader.seen
 * @param {number} reader.lastReadSeq
 * @param {number} reader.userId
 * @param {boolean} reader.hasOlder whether there are messages above those that are loaded
 */
export function findReadUpTo(messages, { seen, lastReadSeq, userId, hasOlder }) {
  let readUpTo = lastReadSeq;
  let isFirst = true;
  for (const { seq, senderId } of messages) {
    // Those above may be unread.
    if (isFirst && hasOlder && seq > lastReadSeq + 1) break;
    isFirst = false;
    if (seq <= lastReadSeq) continue;
    if (senderId !== String(userId) && !seen.has(seq)) break;
    readUpTo = seq;
  }
  return readUpTo;
}
