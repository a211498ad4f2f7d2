// Counts unread messages between two read states from the server.

/**
 * @typedef {object} ConversationCounts the unread counts of a conversation in the sidebar
 * @property {boolean} notifiesOfAll whether every unread message notifies this person, not only mentions
 * @property {boolean} hasReadState whether the server keeps a read state of this person there
 * @property {number} lastEvent the newest `seq` that the counts include
 * @property {number} unread
 * @property {number} mentions unread messages that mention this person
 */

/** @import { NewMessage } from "./new_messages.js" */

/**
 * Return the counts after a new message. They are unchanged where the message has been counted already.
 *
 * @param {ConversationCounts} counts
 * @param {NewMessage} message
 * @param {number} userId
 * @returns {ConversationCounts}
 */
export function countMessage(counts, { seq, senderId, mentions }, userId) {
  if (!counts.hasReadState || seq <= counts.lastEvent) return counts;
  if (senderId === userId) return { ...counts, lastEvent: seq };
  return {
    ...counts,
    lastEvent: seq,
    unread: counts.unread + 1,
    mentions: counts.mentions + Number(mentions.includes(userId)),
  };
}

/**
 * Return the prefix of the page's title: the number of direct messages and mentions, or a dot for other messages.
 *
 * @param {ConversationCounts[]} conversations
 */
export function titlePrefix(conversations) {
  const count = conversations.reduce(
    (sum, { notifiesOfAll, unread, mentions }) => sum + (notifiesOfAll ? unread : mentions),
    0,
  );
  if (count > 0) return `(${formatCount(count)}) `;
  return conversations.some(({ unread }) => unread > 0) ? "• " : "";
}

/** @param {number} count */
export const formatCount = (count) => (count > 99 ? "99+" : String(count));
