import assert from "node:assert/strict";
import { test } from "node:test";
import { findMentionPrefix, mentionsAll } from "../../../static/js/core/mentions.js";

test("a mention begins with @ after a space or at the start", () => {
  assert.equal(findMentionPrefix("@"), "");
  assert.equal(findMentionPrefix("hello @bo"), "bo");
  assert.equal(findMentionPrefix("(@Bob.J-1_x"), "Bob.J-1_x");
  assert.equal(findMentionPrefix("@mü"), "mü");
  assert.equal(findMentionPrefix("你好 @陈"), "陈");
});

test("an address or a finished mention is not an unfinished mention", () => {
  for (const text of ["", "hello", "ana@example", "a/@b", "@bob "]) assert.equal(findMentionPrefix(text), null);
});

test("@all is recognised as a word of its own", () => {
  for (const text of ["@all", "lunch, @ALL?", "(@all)"]) assert.ok(mentionsAll(text), text);
  for (const text of ["@allison", "x@all", "all", "@all@"]) assert.ok(!mentionsAll(text), text);
});
