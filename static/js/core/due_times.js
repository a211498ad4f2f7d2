// Times at which something is due, in the reader's time zone. The server gets them in UTC.

import { formatDay, formatTime, isoDay, isSameDay } from "./dates.js";

const MINUTE_MS = 60 * 1000;

const MONDAY = 1;

/** The hour at which a working day begins. */
const MORNING = 9;

/**
 * @param {Date} date
 * @param {number} days
 */
const morningAfter = (date, days) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days, MORNING);

/**
 * Return the times that are offered. Those of a day are at nine in local time, also across a change to daylight saving
 * time.
 *
 * @param {Date} now
 * @returns {Record<string, Date | null>} `monday` is null if that is tomorrow
 */
export function offeredTimes(now) {
  const days = (MONDAY - now.getDay() + 7) % 7 || 7;
  return {
    minutes: new Date(now.getTime() + 20 * MINUTE_MS),
    hour: new Date(now.getTime() + 60 * MINUTE_MS),
    hours: new Date(now.getTime() + 180 * MINUTE_MS),
    tomorrow: morningAfter(now, 1),
    monday: days === 1 ? null : morningAfter(now, days),
  };
}

/**
 * Return a time as a field for date and time takes it, such as "2026-11-28T09:00".
 *
 * @param {Date} date
 */
export const fieldValue = (date) => `${isoDay(date)}T${formatTime(date, "h23")}`;

/**
 * Return the time in a field, or why it cannot be used.
 *
 * @param {string} value
 * @param {Date} now
 * @returns {{date: Date, error: null} | {date: null, error: string}}
 */
export function parseField(value, now) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return { date: null, error: "Choose a date and a time." };
  if (date <= now) return { date: null, error: "This time has passed. Choose one in the future." };
  return { date, error: null };
}

/**
 * Return a time in the future, such as "Tomorrow at 9:00".
 *
 * @param {Date} date
 * @param {Date} now
 */
export function formatDue(date, now) {
  const day = isSameDay(date, morningAfter(now, 1)) ? "Tomorrow" : formatDay(date, now);
  return `${day} at ${formatTime(date)}`;
}
