// Counts unread messages between two read states from the server.

/**
 * @typedef {object} ConversationCounts the unread counts of a conversation in the sidebar
 * @property {NotificationLevel} level of which new messages this person is notified
 * @property {boolean} isMuted whether its unread messages are not pointed out
 * @property {boolean} hasReadState whether the server keeps a read state of this person there
 * @property {number} lastEvent the newest `seq` that the counts include
 * @property {number} unread
 * @property {number} mentions unread messages that mention this person
 */

/** @import { NewMessage } from "./new_messages.js" */
/** @import { NotificationLevel } from "./notification_rules.js" */

/**
 * Return the counts after a new message. They are unchanged where the message has been counted already.
 *
 * @param {ConversationCounts} counts
 * @param {NewMessage} message
 * @param {number} userId
 * @returns {ConversationCounts}
 */
export function countMessage(counts, { seq, senderId, mentions, isInRoom }, userId) {
  if (!isInRoom || !counts.hasReadState || seq <= counts.lastEvent) return counts;
  if (senderId === userId) return { ...counts, lastEvent: seq };
  return {
    ...counts,
    lastEvent: seq,
    unread: counts.unread + 1,
    mentions: counts.mentions + Number(mentions.includes(userId)),
  };
}

/**
 * Return the number in the badge of a conversation.
 *
 * @param {Pick<ConversationCounts, "isMuted" | "unread" | "mentions">} counts
 */
export const badgeCount = ({ isMuted, unread, mentions }) => (isMuted ? mentions : unread);

/**
 * Return the prefix of the page's title: the number of direct messages and mentions, or a dot for other messages. Those
 * of muted conversations are left out.
 *
 * @param {ConversationCounts[]} conversations
 */
export function titlePrefix(conversations) {
  const audible = conversations.filter(({ isMuted }) => !isMuted);
  const count = audible.reduce((sum, { level, unread, mentions }) => sum + (level === "all" ? unread : mentions), 0);
  if (count > 0) return `(${formatCount(count)}) `;
  return audible.some(({ unread }) => unread > 0) ? "• " : "";
}

/** @param {number} count */
export const formatCount = (count) => (count > 99 ? "99+" : String(count));
