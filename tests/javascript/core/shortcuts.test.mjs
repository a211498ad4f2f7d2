import assert from "node:assert/strict";
import { test } from "node:test";
import { isCharacter, matchesKeys, nameKeys } from "../../../static/js/core/key_combinations.js";
import { findNeighbour } from "../../../static/js/core/neighbours.js";

/** Return a keyboard event: "Ctrl Shift k". */
function press(keys, code = "") {
  const names = keys.split(" ");
  const has = (name) => names.slice(0, -1).includes(name);
  return {
    key: names.at(-1),
    code,
    ctrlKey: has("Ctrl"),
    metaKey: has("Meta"),
    altKey: has("Alt"),
    shiftKey: has("Shift"),
  };
}

test("a combination matches exactly its keys", () => {
  assert.ok(matchesKeys(press("Ctrl k"), "Mod+K", false));
  for (const keys of ["k", "Ctrl Shift K", "Ctrl Alt k", "Meta k", "Ctrl j"]) {
    assert.ok(!matchesKeys(press(keys), "Mod+K", false), keys);
  }
  assert.ok(matchesKeys(press("Alt ArrowDown"), "Alt+ArrowDown", false));
  assert.ok(!matchesKeys(press("Alt Shift ArrowDown"), "Alt+ArrowDown", false));
  assert.ok(matchesKeys(press("Alt Shift ArrowDown"), "Alt+Shift+ArrowDown", false));
  assert.ok(!matchesKeys(press("Shift Escape"), "Escape", false));
});

test("on a Mac, ⌘ takes the place of Ctrl", () => {
  assert.ok(matchesKeys(press("Meta k"), "Mod+K", true));
  assert.ok(!matchesKeys(press("Ctrl k"), "Mod+K", true));
});

test("characters match on every keyboard", () => {
  for (const keys of ["?", "Shift ?"]) assert.ok(matchesKeys(press(keys), "?", false), keys);
  assert.ok(!matchesKeys(press("Ctrl ?"), "?", false));
  for (const keys of ["Ctrl /", "Ctrl Shift /"]) assert.ok(matchesKeys(press(keys), "Mod+/", false), keys);
  assert.ok(matchesKeys(press("Ctrl л", "KeyK"), "Mod+K", false));
  // Dvorak: the key of K on other keyboards.
  assert.ok(!matchesKeys(press("Ctrl t", "KeyK"), "Mod+K", false));
  assert.deepEqual(["?", "Mod+/", "Escape"].map(isCharacter), [true, false, false]);
});

test("keys are named as on the keyboard", () => {
  assert.deepEqual(nameKeys("Alt+Shift+ArrowDown", false), ["Alt", "Shift", "↓"]);
  assert.deepEqual(nameKeys("Mod+K", false), ["Ctrl", "K"]);
  assert.deepEqual(nameKeys("Mod+K", true), ["⌘", "K"]);
  assert.deepEqual(nameKeys("Shift+Escape", true), ["⇧", "Esc"]);
});

test("the neighbours of an item follow it in a circle", () => {
  const items = ["a", "b", "c", "d"];
  assert.equal(findNeighbour(items, "b", 1), "c");
  assert.equal(findNeighbour(items, "d", 1), "a");
  assert.equal(findNeighbour(items, "a", -1), "d");
  assert.equal(findNeighbour(items, undefined, 1), "a");
  assert.equal(findNeighbour(items, undefined, -1), "d");
  assert.equal(
    findNeighbour(items, "b", 1, (item) => item < "b"),
    "a",
  );
  assert.equal(
    findNeighbour(items, "b", -1, (item) => item > "b"),
    "d",
  );
  assert.equal(
    findNeighbour(items, "b", 1, (item) => item === "b"),
    undefined,
  );
  assert.equal(findNeighbour([], undefined, 1), undefined);
});
