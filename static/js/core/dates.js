// Dates and times in the reader's language and time zone.

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dateTimeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayAndYearFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

/** @param {Date} date */
export const formatTime = (date) => timeFormat.format(date);

/** @param {Date} date */
export const formatDateTime = (date) => dateTimeFormat.format(date);

/**
 * Return whether two times are on the same day in the reader's time zone.
 *
 * @param {Date} a
 * @param {Date} b
 */
export const isSameDay = (a, b) => a.toDateString() === b.toDateString();

/**
 * Return "Today", "Yesterday" or the date. The year is omitted in the current one.
 *
 * @param {Date} date
 */
export function formatDay(date, today = new Date()) {
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (isSameDay(date, today)) return "Today";
  if (isSameDay(date, yesterday)) return "Yesterday";
  return (date.getFullYear() === today.getFullYear() ? dayFormat : dayAndYearFormat).format(date);
}
