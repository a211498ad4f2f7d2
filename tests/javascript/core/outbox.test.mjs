import assert from "node:assert/strict";
import { test } from "node:test";
import { FallbackStorage } from "../../../static/js/core/fallback_storage.js";
import { Outbox } from "../../../static/js/core/outbox.js";
import { FakeStorage } from "../harness.mjs";

const openOutbox = (area, userId = 1) => new Outbox(new FallbackStorage(() => area), userId);
const contents = (entries) => entries.map(({ content }) => content);

function fill(outbox, ...texts) {
  for (const text of texts) outbox.add("general", text);
  return outbox.entries;
}

test("entries survive a reload in the order in which they were added", () => {
  const area = new FakeStorage();
  const added = fill(openOutbox(area), "c", "a", "b");
  const reloaded = openOutbox(area).entries;
  assert.deepEqual(contents(reloaded), ["c", "a", "b"]);
  assert.deepEqual(reloaded, added);
});

test("the order does not depend on the clock", (t) => {
  const outbox = openOutbox(new FakeStorage());
  t.mock.method(Date, "now", () => 1_000);
  fill(outbox, "first", "second");
  t.mock.method(Date, "now", () => 1);
  fill(outbox, "third");
  assert.deepEqual(contents(outbox.entries), ["first", "second", "third"]);
});

test("every entry has its own client_id", () => {
  const ids = fill(openOutbox(new FakeStorage()), "same", "same").map((entry) => entry.client_id);
  assert.equal(new Set(ids).size, 2);
});

test("accounts in one browser have separate outboxes", () => {
  const area = new FakeStorage();
  fill(openOutbox(area, 1), "by the first account");
  assert.deepEqual(openOutbox(area, 2).entries, []);
  assert.deepEqual(openOutbox(area, 11).entries, []);
});

test("an acknowledged entry is reported with the stored message and removed", () => {
  const outbox = openOutbox(new FakeStorage());
  const [entry] = fill(outbox, "hello", "world");
  const message = { seq: 1 };
  const acknowledged = [];
  outbox.on("acknowledged", (detail) => acknowledged.push(detail));
  outbox.acknowledge(entry, message);
  assert.deepEqual(acknowledged, [{ entry, message }]);
  assert.deepEqual(contents(outbox.entries), ["world"]);
});

test("a rejected entry stays until it is retried, with its client_id and place", () => {
  const area = new FakeStorage();
  const outbox = openOutbox(area);
  const [entry] = fill(outbox, "first", "second");
  outbox.reject(entry, "This room is archived.");
  assert.deepEqual(contents(outbox.queue), ["second"]);
  assert.equal(openOutbox(area).entries[0].error, "This room is archived.");
  outbox.retry(entry.client_id);
  assert.deepEqual(outbox.queue[0], entry);
});

test("rejecting or retrying what another tab has removed does not bring it back", () => {
  const area = new FakeStorage();
  const outbox = openOutbox(area);
  const [entry] = fill(outbox, "hello");
  openOutbox(area).remove(entry.client_id);
  outbox.reject(entry, "too late");
  outbox.retry(entry.client_id);
  assert.deepEqual(outbox.entries, []);
});

test("a change by another tab is reported as one", () => {
  const outbox = openOutbox(new FakeStorage());
  const changes = [];
  outbox.on("change", ({ isFromOtherTab }) => changes.push(isFromOtherTab));
  fill(outbox, "hello");
  outbox.onStorageChange("chatapp:outbox:1:some-id");
  outbox.onStorageChange(null);
  outbox.onStorageChange("chatapp:outbox:2:some-id");
  outbox.onStorageChange("chatapp:draft:1:general");
  assert.deepEqual(changes, [false, true, true]);
});

test("an unreadable entry is ignored", () => {
  const area = new FakeStorage();
  const outbox = openOutbox(area);
  fill(outbox, "hello");
  area.setItem("chatapp:outbox:1:broken", "{");
  assert.deepEqual(contents(outbox.entries), ["hello"]);
});

test("without storage entries are kept in memory", () => {
  const outbox = new Outbox(
    new FallbackStorage(() => {
      throw new Error("SecurityError");
    }),
    1,
  );
  assert.deepEqual(contents(fill(outbox, "hello")), ["hello"]);
});
