// Decides where a day begins in the message list, which messages are shown as one group, and where the unread ones begin.
// chatapp/presentation/message_list.py has the same rules, for the page as the server renders it.

import { isSameDay } from "./dates.js";

const MAX_PAUSE_MS = 5 * 60_000;

/**
 * @typedef {object} GroupedMessage
 * @property {string} senderId empty for deleted accounts, bots and notices
 * @property {Date} createdAt
 */

/**
 * @param {Pick<GroupedMessage, "createdAt"> | null} previous
 * @param {Pick<GroupedMessage, "createdAt">} message
 */
export const startsDay = (previous, message) => !previous || !isSameDay(previous.createdAt, message.createdAt);

/**
 * Return whether a message continues the group of the previous one: the same sender and day, within five minutes.
 *
 * @param {GroupedMessage | null} previous
 * @param {GroupedMessage} message
 */
export function continuesGroup(previous, message) {
  if (!previous || startsDay(previous, message)) return false;
  const isSameSender = message.senderId !== "" && message.senderId === previous.senderId;
  return isSameSender && message.createdAt.getTime() - previous.createdAt.getTime() < MAX_PAUSE_MS;
}

/**
 * Return the first message of others after `lastReadSeq`, unless one above the messages may be unread, too.
 *
 * @template {{seq: number, senderId: string}} T
 * @param {T[]} messages in the order of `seq`
 * @param {{lastReadSeq: number, userId: number, hasOlder: boolean}} reader
 * @returns {T | undefined}
 */
export function findFirstUnread(messages, { lastReadSeq, userId, hasOlder }) {
  if (hasOlder && messages[0] && messages[0].seq > lastReadSeq + 1) return undefined;
  return messages.find(({ seq, senderId }) => seq > lastReadSeq && senderId !== String(userId));
}
