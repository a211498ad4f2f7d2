import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cleanValue,
  findFilter,
  findNamePrefix,
  findValuePrefix,
  isComplete,
  removeFilter,
} from "../../../static/js/core/search_filters.js";

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

test("a filter is removed with the end of its value after the caret", () => {
  for (const [text, expected] of [
    ["from:bo|b apple", " apple"],
    ["pear -from:| apple", "pear  apple"],
    ['in:"Des|ign Team" apple', " apple"],
    ["in:“|Design Team” apple", " apple"],
    ['in:"Des| apple', " apple"],
    ['in:des|"blue boat"', '"blue boat"'],
    ["pear from:bo|", "pear "],
  ]) {
    const caret = text.indexOf("|");
    const filter = findFilter(text.slice(0, caret));
    assert.ok(filter, text);
    assert.equal(removeFilter(text.replace("|", ""), caret, filter), expected, text);
  }
});

test("a value is complete if it is one of those suggested, by its value or its name", () => {
  const suggested = ["design:-team-2", "Design: Team 2"];
  for (const value of ["#design:-team-2", '"Design: Team 2', "“design: team 2"])
    assert.equal(isComplete(value, suggested), true, value);
  for (const value of ["", '"Design: Team', "team-2"]) assert.equal(isComplete(value, suggested), false, value);
});

test("marks are no part of a value", () => {
  assert.equal(cleanValue('"Design Te'), "Design Te");
  assert.equal(cleanValue("“#design"), "design");
  assert.equal(cleanValue("@ana"), "ana");
  assert.equal(cleanValue("a@b"), "a@b");
});
