import assert from "node:assert/strict";
import { test } from "node:test";
import { mergeDrafts, SEPARATOR } from "../../../static/js/core/draft_merge.js";

test("the side that has changed wins", () => {
  assert.equal(mergeDrafts("a", "a", "b"), "b");
  assert.equal(mergeDrafts("a", "b", "a"), "b");
  assert.equal(mergeDrafts("a", "b", "b"), "b");
});

test("a text that contains the other one has everything", () => {
  assert.equal(mergeDrafts("", "hello world", "hello"), "hello world");
  assert.equal(mergeDrafts("", "hello", "hello world"), "hello world");
});

test("what one device has written on stays when the other one has emptied the field", () => {
  assert.equal(mergeDrafts("hello", "hello, world", ""), "hello, world");
  assert.equal(mergeDrafts("hello", "", "hello, world"), "hello, world");
});

test("changes of different parts are both made", () => {
  const base = "Dear all, the meeting is on Monday.";
  const mine = "Dear colleagues, the meeting is on Monday.";
  const theirs = "Dear all, the meeting is on Tuesday.";
  assert.equal(mergeDrafts(base, mine, theirs), "Dear colleagues, the meeting is on Tuesday.");
  assert.equal(mergeDrafts(base, theirs, mine), "Dear colleagues, the meeting is on Tuesday.");
  assert.equal(mergeDrafts("one two", "zero one two", "one two three"), "zero one two three");
});

test("changes of the same part are both kept", () => {
  assert.equal(mergeDrafts("", "mine", "theirs"), `mine${SEPARATOR}theirs`);
  assert.equal(mergeDrafts("one", "one two", "one three"), `one two${SEPARATOR}one three`);
  assert.equal(mergeDrafts("abcd", "aXd", "abYd"), `aXd${SEPARATOR}abYd`);
});

test("no word of either text is lost", () => {
  const words = ["alpha", "beta", "gamma", "delta"];
  /** @param {number} number */
  const take = (number) => words.filter((_, index) => number & (1 << index)).join(" ");
  for (let base = 0; base < 16; base++) {
    for (let mine = 0; mine < 16; mine++) {
      for (let theirs = 0; theirs < 16; theirs++) {
        const merged = mergeDrafts(take(base), take(mine), take(theirs));
        // A word that only one side has added.
        for (const added of [mine & ~base, theirs & ~base].flatMap((number) => take(number).split(" "))) {
          assert.ok(merged.includes(added), `${take(base)} | ${take(mine)} | ${take(theirs)} → ${merged}`);
        }
      }
    }
  }
});
