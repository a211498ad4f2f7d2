import assert from "node:assert/strict";
import { test } from "node:test";
import { validateContent } from "../../../static/js/core/message_validation.js";

test("text within the limit is valid", () => {
  assert.equal(validateContent("hello", 5), null);
  assert.equal(validateContent("  two\nlines ", 100), null);
});

test("characters are counted, not UTF-16 code units", () => {
  assert.equal(validateContent("🎉".repeat(5), 5), null);
  assert.match(validateContent("🎉".repeat(6), 5), /6 characters.* 5/);
});

test("white space alone is invalid", () => {
  for (const text of ["", "   ", "\n\t "]) assert.notEqual(validateContent(text, 100), null);
});

test("a message with files needs no text", () => {
  assert.equal(validateContent("", 100, { hasFiles: true }), null);
  assert.match(validateContent("abc", 2, { hasFiles: true }), /too long/);
});

test("NUL and lone surrogates are invalid", () => {
  for (const text of ["a\0b", "\ud83c", "\udf89 text"]) assert.match(validateContent(text, 100), /character/);
});
