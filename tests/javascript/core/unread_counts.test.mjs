import assert from "node:assert/strict";
import { test } from "node:test";
import { badgeCount, countMessage, formatCount, titlePrefix } from "../../../static/js/core/unread_counts.js";

const ME = 1;
const counts = (changes = {}) => ({
  level: "mentions",
  isMuted: false,
  hasReadState: true,
  lastEvent: 10,
  unread: 2,
  mentions: 1,
  ...changes,
});
const message = (changes = {}) => ({ seq: 11, senderId: 2, mentions: [], isInRoom: true, ...changes });

test("a new message of somebody else is unread", () => {
  assert.deepEqual(countMessage(counts(), message(), ME), counts({ lastEvent: 11, unread: 3 }));
  const mention = message({ mentions: [ME, 5] });
  assert.deepEqual(countMessage(counts(), mention, ME), counts({ lastEvent: 11, unread: 3, mentions: 2 }));
});

test("a message is counted once", () => {
  const before = counts();
  assert.equal(countMessage(before, message({ seq: 10 }), ME), before);
  const after = countMessage(before, message(), ME);
  assert.equal(countMessage(after, message(), ME), after);
});

test("own messages, and conversations without a read state, are not counted", () => {
  assert.deepEqual(countMessage(counts(), message({ senderId: ME }), ME), counts({ lastEvent: 11 }));
  const shared = counts({ hasReadState: false });
  assert.equal(countMessage(shared, message(), ME), shared);
});

test("a message of a bot is counted", () => {
  assert.equal(countMessage(counts(), message({ senderId: null }), ME).unread, 3);
});

test("the title counts direct messages and mentions, and has a dot for others", () => {
  const read = counts({ unread: 0, mentions: 0 });
  assert.equal(titlePrefix([read]), "");
  assert.equal(titlePrefix([read, counts({ mentions: 0 })]), "• ");
  assert.equal(titlePrefix([counts({ unread: 5, mentions: 1 }), counts({ level: "all", unread: 3 })]), "(4) ");
  assert.equal(titlePrefix([counts({ level: "all", unread: 100 })]), "(99+) ");
});

test("a muted conversation has no part in the title, and its badge counts mentions", () => {
  const muted = counts({ isMuted: true, unread: 5, mentions: 2 });
  assert.equal(titlePrefix([muted, counts({ ...muted, level: "all" })]), "");
  assert.equal(titlePrefix([muted, counts({ mentions: 1 })]), "(1) ");
  assert.equal(badgeCount(muted), 2);
  assert.equal(badgeCount({ ...muted, isMuted: false }), 5);
});

test("counts above 99 are shortened", () => {
  assert.equal(formatCount(99), "99");
  assert.equal(formatCount(100), "99+");
});

test("a reply that only its thread shows is not unread in the room", () => {
  const before = counts();
  assert.equal(countMessage(before, message({ isInRoom: false }), ME), before);
});
