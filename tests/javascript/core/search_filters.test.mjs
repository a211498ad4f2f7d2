import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanValue, findFilter, findNamePrefix, findValuePrefix } from "../../../static/js/core/search_filters.js";

test("a filter's name begins as a word of two letters", () => {
  assert.equal(findNamePrefix("fr"), "fr");
  assert.equal(findNamePrefix("apple -FR"), "FR");
  for (const text of ["", "f", "apple ", "from:", "x_fr", "東京"]) assert.equal(findNamePrefix(text), null, text);
});

test("a filter's value follows the colon", () => {
  assert.equal(findValuePrefix("from:", "from"), "");
  assert.equal(findValuePrefix("apple -From:@an", "from"), "@an");
  assert.equal(findValuePrefix('in:"Design Te', "in"), '"Design Te');
  assert.equal(findValuePrefix("in:“Design Te", "in"), "“Design Te");
  assert.equal(findValuePrefix("on:2026-1", "on"), "2026-1");
});

test("a finished value and another filter are none", () => {
  for (const text of ["", "from:ana ", 'from:"Ana Lima"', "in:ana", "xfrom:a:b", "from"])
    assert.equal(findValuePrefix(text, "from"), null, text);
});

test("a filter is found with its beginning", () => {
  assert.deepEqual(findFilter("apple -From:an"), { name: "from", value: "an", start: 6 });
  assert.deepEqual(findFilter("in:"), { name: "in", value: "", start: 0 });
  for (const text of ["", "apple", "in:ana ", "10:30"]) assert.equal(findFilter(text), null, text);
});

test("marks are no part of a value", () => {
  assert.equal(cleanValue('"Design Te'), "Design Te");
  assert.equal(cleanValue("“#design"), "design");
  assert.equal(cleanValue("@ana"), "ana");
  assert.equal(cleanValue("a@b"), "a@b");
});
