import assert from "node:assert/strict";
import { test } from "node:test";
import { rank } from "../../../static/js/core/ranking.js";

const PEOPLE = [
  ["bo", "Bo Chen"],
  ["cyd", "Cyd"],
  ["wei", "陈伟"],
  ["max", "Jörg Müller"],
  ["zoe", "Cyprian Zoe"],
].map(([username, name]) => ({ key: username, title: name, names: [username, name] }));
const ranked = (text, recent = [], items = PEOPLE) => rank(items, text, recent).map(({ key }) => key);

test("usernames come before names, and names before words of names", () => {
  assert.deepEqual(ranked("c"), ["cyd", "zoe", "bo"]);
  assert.deepEqual(ranked("cyd"), ["cyd"]);
});

test("names are found without case and accents, in all scripts", () => {
  for (const text of ["mü", "MU", "jorg", "Jö"]) assert.deepEqual(ranked(text), ["max"], text);
  assert.deepEqual(ranked("陈"), ["wei"]);
  assert.deepEqual(ranked("x"), []);
});

test("of equal matches those come first that were used last", () => {
  assert.deepEqual(ranked("", ["wei", "bo"]).slice(0, 2), ["wei", "bo"]);
  assert.deepEqual(ranked("", []), ["bo", "cyd", "zoe", "max", "wei"]);
});

const ROOMS = ["Ops alerts", "Ops", "back-end team", "Design"].map((title) => ({ key: title, title, names: [title] }));

test("a name that is the text comes first, however long ago it was used", () => {
  assert.deepEqual(ranked("ops", ["Ops alerts"], ROOMS), ["Ops", "Ops alerts"]);
});

test("each word of the text begins a word of the name", () => {
  for (const text of ["team", "end te", "te ba", " Back-End "])
    assert.deepEqual(ranked(text, [], ROOMS), ["back-end team"], text);
  assert.deepEqual(ranked("end ops", [], ROOMS), []);
});
