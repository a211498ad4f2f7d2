import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldValue, formatDue, offeredTimes, parseField, proposeValue } from "../../../static/js/core/due_times.js";

// A zone in which the clock changed on Sunday, 29 March 2026.
process.env.TZ = "Europe/Berlin";

const SATURDAY = new Date(2026, 2, 28, 14, 5);

/** @param {Date | null | undefined} date */
const utc = (date) => date?.toISOString();

test("a morning is at nine by the clock on the wall, also after the clock has changed", () => {
  const { minutes, hour, hours, tomorrow, monday } = offeredTimes(SATURDAY);
  assert.equal(utc(minutes), "2026-03-28T13:25:00.000Z");
  assert.equal(utc(hours), "2026-03-28T16:05:00.000Z");
  assert.equal(utc(hour), "2026-03-28T14:05:00.000Z");
  assert.equal(utc(tomorrow), "2026-03-29T07:00:00.000Z");
  assert.equal(utc(monday), "2026-03-30T07:00:00.000Z");
  assert.equal(utc(offeredTimes(new Date(2026, 2, 27, 9)).tomorrow), "2026-03-28T08:00:00.000Z");
});

test("Monday is the next one, unless that is tomorrow", () => {
  assert.equal(utc(offeredTimes(new Date(2026, 2, 30, 8)).monday), "2026-04-06T07:00:00.000Z");
  assert.equal(offeredTimes(new Date(2026, 2, 29, 8)).monday, null);
});

test("a field has the local time", () => {
  assert.equal(fieldValue(SATURDAY), "2026-03-28T14:05");
  assert.equal(utc(parseField("2026-03-29T09:00", SATURDAY).date), "2026-03-29T07:00:00.000Z");
});

test("a field without a time, or with one that has passed, is refused", () => {
  assert.equal(parseField("", SATURDAY).error, "Choose a date and a time.");
  assert.match(parseField("2026-03-28T14:05", SATURDAY).error ?? "", /has passed/);
});

test("of two moments a field means the one in the future", () => {
  const meaning = (/** @type {string} */ value, /** @type {string} */ now) =>
    utc(parseField(value, new Date(now)).date);
  // The hour from 2:00 to 3:00 is repeated.
  assert.equal(meaning("2026-10-25T02:30", "2026-10-25T00:29:00Z"), "2026-10-25T00:30:00.000Z");
  assert.equal(meaning("2026-10-25T02:30", "2026-10-25T00:30:00Z"), "2026-10-25T01:30:00.000Z");
  assert.equal(meaning("2026-10-25T02:30", "2026-10-25T01:10:00Z"), "2026-10-25T01:30:00.000Z");
  assert.equal(meaning("2026-10-25T02:30", "2026-10-25T01:30:00Z"), undefined);
  assert.equal(meaning("2026-10-24T14:00", "2026-10-24T12:00:00Z"), undefined);
  // It is skipped.
  assert.equal(meaning("2027-03-28T02:30", "2027-03-28T00:50:00Z"), "2027-03-28T01:30:00.000Z");
  assert.equal(meaning("2027-03-28T02:30", "2027-03-28T01:30:00Z"), undefined);
});

test("a field keeps what was chosen until that has passed", () => {
  assert.equal(proposeValue("", SATURDAY), "2026-03-29T09:00");
  assert.equal(proposeValue("2026-03-28T14:06", SATURDAY), "2026-03-28T14:06");
  assert.equal(proposeValue("2026-03-28T14:05", SATURDAY), "2026-03-29T09:00");
});

test("a time in the future has the name of its day", () => {
  assert.match(formatDue(new Date(2026, 2, 28, 15), SATURDAY), /^Today at /);
  assert.match(formatDue(new Date(2026, 2, 29, 9), SATURDAY), /^Tomorrow at /);
  assert.match(formatDue(new Date(2026, 2, 30, 9), SATURDAY), /^Monday, 30 March at /);
  const newYearsEve = new Date(2026, 11, 31, 23, 50);
  assert.match(formatDue(new Date(2027, 0, 1, 0, 10), newYearsEve), /^Tomorrow at /);
  assert.match(formatDue(new Date(2027, 0, 2, 9), newYearsEve), /^2 January 2027 at /);
});
