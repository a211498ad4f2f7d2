import assert from "node:assert/strict";
import { test } from "node:test";
import { continuesGroup, startsDay } from "../../../static/js/core/message_grouping.js";

const message = (minute, { senderId = "1", hour = 12 } = {}) => ({
  senderId,
  createdAt: new Date(2026, 2, 1, hour, minute),
});

test("messages of one sender within five minutes form a group", () => {
  assert.ok(continuesGroup(message(0), message(4)));
  assert.ok(!continuesGroup(message(0), message(5)));
  assert.ok(!continuesGroup(message(0), message(1, { senderId: "2" })));
  assert.ok(!continuesGroup(null, message(0)));
});

test("bots and deleted accounts have no id, and form no groups", () => {
  assert.ok(!continuesGroup(message(0, { senderId: "" }), message(1, { senderId: "" })));
});

test("a group ends with the day", () => {
  const beforeMidnight = message(59, { hour: 23 });
  const afterMidnight = message(61, { hour: 23 });
  assert.ok(startsDay(beforeMidnight, afterMidnight));
  assert.ok(!continuesGroup(beforeMidnight, afterMidnight));
  assert.ok(startsDay(null, beforeMidnight));
  assert.ok(!startsDay(message(0), message(1)));
});
