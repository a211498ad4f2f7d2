// When a new message is announced outside of the page: by a desktop notification, and by a sound.

/** @import { NewMessage } from "./new_messages.js" */

/**
 * @typedef {object} NotificationSettings what a person has chosen in this browser
 * @property {boolean} areShown whether the desktop shows notifications
 * @property {boolean} haveSound whether a sound is played
 * @property {string} quietFrom time of day, such as "22:00"; empty if there are no quiet hours
 * @property {string} quietUntil
 */

/** @typedef {"all" | "mentions" | "nothing"} NotificationLevel of which new messages of a conversation a person is notified */

/** @type {NotificationSettings} */
export const SWITCHED_OFF = { areShown: false, haveSound: false, quietFrom: "", quietUntil: "" };

/**
 * Return the settings that are stored as a text. What is missing or damaged is switched off.
 *
 * @param {string | null} stored
 * @returns {NotificationSettings}
 */
export function parseSettings(stored) {
  try {
    const parsed = JSON.parse(stored ?? "{}");
    return {
      areShown: parsed.areShown === true,
      haveSound: parsed.haveSound === true,
      quietFrom: minutesOf(parsed.quietFrom) === null ? "" : parsed.quietFrom,
      quietUntil: minutesOf(parsed.quietUntil) === null ? "" : parsed.quietUntil,
    };
  } catch {
    return SWITCHED_OFF;
  }
}

/**
 * Return whether a person is notified of a message. The level of a muted conversation does not matter.
 *
 * @param {NewMessage} message
 * @param {object} options
 * @param {NotificationLevel} options.level
 * @param {boolean} options.isMuted
 * @param {number} options.userId
 */
export function isNotable({ senderId, mentions, isInRoom }, { level, isMuted, userId }) {
  if (isMuted || senderId === userId) return false;
  // Replies that only a thread shows notify the people they mention. Its followers have its unread count.
  if (!isInRoom) return level !== "nothing" && mentions.includes(userId);
  return level === "all" || (level === "mentions" && mentions.includes(userId));
}

/**
 * Return whether a time is within the quiet hours, which may include midnight.
 *
 * @param {Date} time
 * @param {NotificationSettings} settings
 */
export function isQuiet(time, { quietFrom, quietUntil }) {
  const [from, until] = [minutesOf(quietFrom), minutesOf(quietUntil)];
  if (from === null || until === null || from === until) return false;
  const now = time.getHours() * 60 + time.getMinutes();
  return from < until ? from <= now && now < until : from <= now || now < until;
}

/**
 * Return the minutes since midnight; null if this is no time of day.
 *
 * @param {unknown} time
 */
function minutesOf(time) {
  const parts = typeof time === "string" && /^([01]\d|2[0-3]):([0-5]\d)$/.exec(time);
  return parts ? Number(parts[1]) * 60 + Number(parts[2]) : null;
}
