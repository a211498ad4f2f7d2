import assert from "node:assert/strict";
import { test } from "node:test";
import {
  adoptReaderZone,
  findReaderClock,
  findReaderZone,
  formatDateTime,
  formatDay,
  formatSince,
  formatTime,
  isoDay,
  isSameDay,
} from "../../../static/js/core/dates.js";

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

test("days are named across the ends of months and years, and where midnight is skipped", () => {
  process.env.TZ = "Africa/Cairo";
  for (const [yesterday, today] of [
    ["2026-12-31T23:59", "2027-01-01T00:00"],
    ["2028-02-28T23:59", "2028-02-29T00:00"],
    ["2028-02-29T00:00", "2028-03-01T23:59"],
    ["2026-04-23T00:00", "2026-04-24T01:00"],
    ["2026-04-24T01:00", "2026-04-25T00:00"],
  ]) {
    const now = new Date(today ?? "");
    assert.equal(formatDay(new Date(yesterday ?? ""), now), "Yesterday");
    assert.equal(formatDay(now, now), "Today");
  }
  assert.equal(formatDay(new Date("2026-12-30T12:00"), new Date("2027-01-01T00:00")), "30 December 2026");
});

test("what began on another day has its day", () => {
  const since = (/** @type {Date} */ date) => formatSince(date, TODAY).replace(/\d?\d:05.*/, "TIME");
  assert.equal(since(new Date(2026, 2, 1, 0, 5)), "TIME");
  assert.equal(since(new Date(2026, 1, 28, 23, 5)), "yesterday, TIME");
  assert.equal(since(new Date(2026, 1, 27, 23, 5)), "Friday, 27 February, TIME");
});

test("a time is shown in the time zone that the browser has now", () => {
  const date = new Date("2026-03-05T20:00:00Z");
  for (const [zone, day, time] of [
    ["Pacific/Auckland", "Friday, 6 March", "09:00"],
    ["Pacific/Honolulu", "Thursday, 5 March", "10:00"],
  ]) {
    process.env.TZ = zone;
    adoptReaderZone();
    assert.equal(formatDay(date, new Date("2026-04-01T12:00:00Z")), day);
    assert.equal(formatTime(date, "h23"), time);
    assert.ok(formatDateTime(date).includes(day?.split(" ")[1] ?? ""));
    assert.equal(findReaderZone(), zone);
    assert.ok(findReaderClock().startsWith(`${zone}:h`));
  }
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
