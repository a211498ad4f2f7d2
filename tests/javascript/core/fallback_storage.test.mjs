import assert from "node:assert/strict";
import { test } from "node:test";
import { FallbackStorage } from "../../../static/js/core/fallback_storage.js";
import { FakeStorage } from "../harness.mjs";

function forbidden() {
  throw new Error("SecurityError");
}

test("values are kept in the storage area", () => {
  const area = new FakeStorage();
  const storage = new FallbackStorage(() => area);
  storage.set("a:1", "one");
  assert.equal(area.getItem("a:1"), "one");
  assert.equal(new FallbackStorage(() => area).get("a:1"), "one");
  assert.equal(storage.get("a:2"), null);
  storage.delete("a:1");
  assert.equal(storage.get("a:1"), null);
});

test("where storage is forbidden, values are kept in memory", () => {
  const storage = new FallbackStorage(forbidden);
  storage.set("a:1", "one");
  assert.equal(storage.get("a:1"), "one");
  assert.deepEqual(storage.keys("a:"), ["a:1"]);
  storage.delete("a:1");
  assert.deepEqual(storage.keys("a:"), []);
});

test("a full area keeps its values, and takes new ones again later", () => {
  const area = new FakeStorage();
  const storage = new FallbackStorage(() => area);
  storage.set("a:1", "one");
  area.isFull = true;
  storage.set("a:1", "changed");
  storage.set("a:2", "two");
  assert.equal(area.getItem("a:1"), "one");
  assert.equal(storage.get("a:1"), "changed");
  assert.deepEqual(storage.keys("a:").sort(), ["a:1", "a:2"]);
  area.isFull = false;
  storage.set("a:2", "stored");
  assert.equal(area.getItem("a:2"), "stored");
  assert.equal(storage.get("a:2"), "stored");
});

test("keys are listed by prefix", () => {
  const area = new FakeStorage();
  const storage = new FallbackStorage(() => area);
  for (const key of ["a:1", "a:2", "b:1"]) storage.set(key, "x");
  assert.deepEqual(storage.keys("a:").sort(), ["a:1", "a:2"]);
});
