import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_QUOTE_CHARS, QuotedMessages, shortenQuote } from "../../../static/js/core/quoted_messages.js";

const quote = (version, text = `version ${version}`) => ({ version, sender: "Ana", text });

test("the latest version of a quoted message is shown, whatever arrives first", () => {
  const quoted = new QuotedMessages();
  assert.equal(quoted.find(1), null);
  assert.ok(quoted.learn(1, quote(4, null)));
  assert.ok(!quoted.learn(1, quote(1)));
  assert.ok(!quoted.learn(1, quote(4)));
  assert.equal(quoted.find(1).text, null);
  assert.ok(quoted.learn(1, quote(5)));
  assert.equal(quoted.find(1).text, "version 5");
});

test("the formatted text of a version takes the place of the text as it was written", () => {
  const quoted = new QuotedMessages();
  assert.ok(!quoted.correct(1, quote(4)));
  quoted.learn(1, quote(4, "**bold**"));
  assert.ok(!quoted.correct(1, quote(3, "earlier")));
  assert.ok(quoted.correct(1, quote(4, "bold")));
  assert.ok(!quoted.correct(1, quote(4, "bold")));
  assert.equal(quoted.find(1).text, "bold");
});

test("a message that a cleanup has removed is not quoted any more", () => {
  const quoted = new QuotedMessages();
  for (const seq of [1, 2, 3]) quoted.learn(seq, quote(seq));
  assert.deepEqual(quoted.removeUpTo(2), [1, 2]);
  assert.deepEqual(quoted.removeUpTo(2), []);
  assert.equal(quoted.find(2).text, null);
  assert.equal(quoted.find(3).text, "version 3");
});

test("after a reset nothing is known", () => {
  const quoted = new QuotedMessages();
  quoted.learnRemoval(1);
  quoted.clear();
  assert.ok(quoted.learn(1, quote(1)));
});

test("a quote is one line of limited length", () => {
  assert.equal(shortenQuote("  one\n\ntwo  three "), "one two three");
  assert.equal(shortenQuote("🎉".repeat(MAX_QUOTE_CHARS)), "🎉".repeat(MAX_QUOTE_CHARS));
  assert.equal(shortenQuote("🎉".repeat(MAX_QUOTE_CHARS + 1)), `${"🎉".repeat(MAX_QUOTE_CHARS - 1)}…`);
});
