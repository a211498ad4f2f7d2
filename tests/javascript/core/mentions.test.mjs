import assert from "node:assert/strict";
import { test } from "node:test";
import { findMentionPrefix, mentionsAll, rankMentions } from "../../../static/js/core/mentions.js";

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

const PEOPLE = [
  { username: "bo", name: "Bo Chen" },
  { username: "cyd", name: "Cyd" },
  { username: "wei", name: "陈伟" },
  { username: "max", name: "Jörg Müller" },
  { username: "zoe", name: "Cyprian Zoe" },
];
const ranked = (prefix, recent = []) => rankMentions(PEOPLE, prefix, recent).map(({ username }) => username);

test("usernames come before names, and names before words of names", () => {
  assert.deepEqual(ranked("c"), ["cyd", "zoe", "bo"]);
  assert.deepEqual(ranked("cyd"), ["cyd"]);
});

test("names are found without case and accents, in all scripts", () => {
  for (const prefix of ["mü", "MU", "jorg", "Jö"]) assert.deepEqual(ranked(prefix), ["max"], prefix);
  assert.deepEqual(ranked("陈"), ["wei"]);
  assert.deepEqual(ranked("x"), []);
});

test("of equal matches those come first who have written last", () => {
  assert.deepEqual(ranked("", ["wei", "bo"]).slice(0, 2), ["wei", "bo"]);
  assert.deepEqual(ranked("", []), ["bo", "cyd", "zoe", "max", "wei"]);
});
