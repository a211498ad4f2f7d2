// Decides where a day begins in the message list, and which messages are shown as one group.

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
