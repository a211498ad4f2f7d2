import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDateTime, formatDay, formatTime, isoDay, isSameDay } from "../../../static/js/core/dates.js";

const TODAY = new Date(2026, 2, 1, 12, 0);

test("the days before are named", () => {
  assert.equal(formatDay(new Date(2026, 2, 1, 0, 0), TODAY), "Today");
  assert.equal(formatDay(new Date(2026, 2, 1, 23, 59), TODAY), "Today");
  assert.equal(formatDay(new Date(2026, 1, 28, 23, 59), TODAY), "Yesterday");
  assert.equal(formatDay(new Date(2025, 11, 31), new Date(2026, 0, 1)), "Yesterday");
});

test("an earlier day has its date, with the year if it is another one", () => {
  assert.doesNotMatch(formatDay(new Date(2026, 1, 27), TODAY), /2026/);
  assert.match(formatDay(new Date(2026, 1, 27), TODAY), /27/);
  assert.match(formatDay(new Date(2025, 1, 27), TODAY), /2025/);
});

test("days are compared in the local time zone", () => {
  assert.ok(isSameDay(new Date(2026, 2, 1, 0, 0), new Date(2026, 2, 1, 23, 59)));
  assert.ok(!isSameDay(new Date(2026, 2, 1, 23, 59), new Date(2026, 2, 2, 0, 0)));
  assert.ok(!isSameDay(new Date(2026, 2, 1), new Date(2025, 2, 1)));
});

test("times have hours and minutes, full times also the date", () => {
  const date = new Date(2026, 2, 1, 14, 5, 9);
  assert.match(formatTime(date), /05/);
  assert.match(formatDateTime(date), /2026/);
});

test("the value of a date field is the local day", () => {
  assert.equal(isoDay(new Date(2026, 2, 1, 23, 59)), "2026-03-01");
});
