// Dates and times in the reader's time zone, in the words of the page. chatapp/presentation/reader_clock.py has the same rules.

const { hourCycle: readerHourCycle = "h23" } = new Intl.DateTimeFormat(undefined, {
  hour: "numeric",
}).resolvedOptions();

// An `Intl.DateTimeFormat` keeps its time zone when the browser's changes. Days are of the calendar, in no zone.
const weekdayFormat = new Intl.DateTimeFormat("en", { weekday: "long", timeZone: "UTC" });
const monthFormat = new Intl.DateTimeFormat("en", { month: "long", timeZone: "UTC" });

const createDateTimeFormat = () => new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
let dateTimeFormat = createDateTimeFormat();

/** @param {number} number */
const twoDigits = (number) => String(number).padStart(2, "0");

/** Return the browser's time zone. It may change while the page is open. */
export const findReaderZone = () => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Return the browser's time zone and hour cycle, such as "Europe/Berlin:h23". */
export const findReaderClock = () => `${findReaderZone()}:${readerHourCycle}`;

/** Show full times in the time zone that the browser has now. */
export function adoptReaderZone() {
  dateTimeFormat = createDateTimeFormat();
}

/**
 * Return the time, such as "14:05" or "2:05 PM".
 *
 * @param {Date} date
 * @param {string} hourCycle
 */
export function formatTime(date, hourCycle = readerHourCycle) {
  const hour = date.getHours();
  const minute = twoDigits(date.getMinutes());
  const half = hour >= 12 ? "PM" : "AM";
  if (hourCycle === "h12") return `${hour % 12 || 12}:${minute} ${half}`;
  if (hourCycle === "h11") return `${hour % 12}:${minute} ${half}`;
  return `${twoDigits(hourCycle === "h24" ? hour || 24 : hour)}:${minute}`;
}

/**
 * Return since when something is the case, such as "14:05" or "yesterday, 14:05".
 *
 * @param {Date} date
 * @param {Date} now
 */
export function formatSince(date, now) {
  const day = formatDay(date, now).replace("Yesterday", "yesterday");
  return isSameDay(date, now) ? formatTime(date) : `${day}, ${formatTime(date)}`;
}

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
 * Return the day in the reader's time zone, such as "2026-11-28".
 *
 * @param {Date} date
 */
export const isoDay = (date) =>
  `${String(date.getFullYear()).padStart(4, "0")}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;

/**
 * Return "Today", "Yesterday" or the date. The year is omitted in the current one.
 *
 * @param {Date} date
 */
export function formatDay(date, today = new Date()) {
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (isSameDay(date, today)) return "Today";
  if (isSameDay(date, yesterday)) return "Yesterday";
  const calendarDay = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  const day = `${date.getDate()} ${monthFormat.format(calendarDay)}`;
  const isThisYear = date.getFullYear() === today.getFullYear();
  return isThisYear ? `${weekdayFormat.format(calendarDay)}, ${day}` : `${day} ${date.getFullYear()}`;
}
