// Times at which something is due, in the reader's time zone. The server gets them in UTC.

import { formatDay, formatTime, isoDay, isSameDay } from "./dates.js";

const MINUTE_MS = 60 * 1000;

const DAY_MS = 24 * 60 * MINUTE_MS;

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
 * Return what a field has when its menu opens: the time that was chosen before, unless it has passed, or tomorrow morning.
 *
 * @param {string} value
 * @param {Date} now
 */
export const proposeValue = (value, now) => (parseField(value, now).error ? fieldValue(morningAfter(now, 1)) : value);

/**
 * Return the time in a field, or why it cannot be used. Of the two moments that a time has when daylight saving time
 * ends, it is the first one in the future.
 *
 * @param {string} value
 * @param {Date} now
 * @returns {{date: Date, error: null} | {date: null, error: string}}
 */
export function parseField(value, now) {
  const first = new Date(value);
  if (Number.isNaN(first.getTime())) return { date: null, error: "Choose a date and a time." };
  const date = [first, repetitionOf(first)].find((each) => each > now);
  return date ? { date, error: null } : { date: null, error: "This time has passed. Choose one in the future." };
}

/**
 * Return the second moment of a local time that is repeated when daylight saving time ends; otherwise the same.
 *
 * @param {Date} date
 */
function repetitionOf(date) {
  const nextDay = new Date(date.getTime() + DAY_MS);
  const later = new Date(date.getTime() + (nextDay.getTimezoneOffset() - date.getTimezoneOffset()) * MINUTE_MS);
  return later > date && fieldValue(later) === fieldValue(date) ? later : date;
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
