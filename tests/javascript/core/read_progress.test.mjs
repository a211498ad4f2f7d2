import assert from "node:assert/strict";
import { test } from "node:test";
import { findReadUpTo } from "../../../static/js/core/read_progress.js";

const ME = 7;
const OTHER = "8";

const messages = (...seqs) => seqs.map((seq) => ({ seq, senderId: OTHER }));

const reader = (seen, fields = {}) => ({
  seen: new Set(seen),
  lastReadSeq: 10,
  userId: ME,
  hasOlder: false,
  ...fields,
});

test("all messages that were seen without a gap are read", () => {
  assert.equal(findReadUpTo(messages(9, 10, 12, 15), reader([12, 15])), 15);
});

test("a message that was not seen keeps those below it unread", () => {
  assert.equal(findReadUpTo(messages(11, 12, 13), reader([11, 13])), 11);
});

test("the latest messages on the screen do not make those above them read", () => {
  assert.equal(findReadUpTo(messages(591, 592), reader([591, 592], { hasOlder: true })), 10);
});

test("messages above those that are loaded are read, if the last read one is among them", () => {
  assert.equal(findReadUpTo(messages(10, 11), reader([11], { hasOlder: true })), 11);
  assert.equal(findReadUpTo(messages(11, 12), reader([11], { hasOlder: true })), 11);
});

test("own messages need not be seen", () => {
  const own = { seq: 12, senderId: String(ME) };
  assert.equal(findReadUpTo([...messages(11), own, ...messages(13)], reader([11])), 12);
});

test("nothing is read in an empty list", () => {
  assert.equal(findReadUpTo([], reader([])), 10);
});
