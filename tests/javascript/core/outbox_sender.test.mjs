import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../../static/js/core/connection.js";
import { FallbackStorage } from "../../../static/js/core/fallback_storage.js";
import { Outbox } from "../../../static/js/core/outbox.js";
import { sendOutbox } from "../../../static/js/core/outbox_sender.js";
import {
  defer,
  disableJitter,
  FakeConnection,
  FakeStorage,
  noUploads,
  settle,
  tick,
  useFakeTimers,
} from "../harness.mjs";

const stored = (payload) => ({ message: { ...payload, seq: 1 } });

function start(handler, { isConnected = true, area = new FakeStorage() } = {}) {
  const connection = new FakeConnection((_event, payload) => handler(payload));
  connection.isConnected = isConnected;
  const outbox = new Outbox(new FallbackStorage(() => area), 1);
  return { connection, outbox, sent: () => connection.requests.map(({ content }) => content) };
}

test("messages are sent in order, each after the acknowledgement of the one before", async () => {
  const acks = { one: defer(), two: defer() };
  const { connection, outbox, sent } = start((payload) => acks[payload.content].promise);
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "one");
  outbox.add("general", "two");
  await settle();
  assert.deepEqual(sent(), ["one"]);
  acks.one.resolve(stored(connection.requests[0]));
  await settle();
  assert.deepEqual(sent(), ["one", "two"]);
  acks.two.resolve(stored(connection.requests[1]));
  await settle();
  assert.deepEqual(outbox.entries, []);
});

test("a failed message is sent again with its client_id before later ones", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  let failures = 2;
  const { connection, outbox, sent } = start((payload) => {
    if (failures-- > 0) throw new Error("no acknowledgement");
    return stored(payload);
  });
  outbox.add("general", "one");
  outbox.add("general", "two");
  sendOutbox(outbox, connection, noUploads());
  await settle();
  await tick(500);
  assert.deepEqual(sent(), ["one", "one"]);
  await tick(999);
  assert.deepEqual(sent(), ["one", "one"]);
  await tick(1);
  assert.deepEqual(sent(), ["one", "one", "one", "two"]);
  assert.equal(new Set(connection.requests.map((payload) => payload.client_id)).size, 2);
  assert.deepEqual(outbox.entries, []);
});

test("a message is retried after the time that a busy server names", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  let isBusy = true;
  const { connection, outbox, sent } = start((payload) => {
    if (isBusy) throw new RequestError({ code: "busy", retry_after: 30 });
    return stored(payload);
  });
  outbox.add("general", "one");
  sendOutbox(outbox, connection, noUploads());
  await settle();
  isBusy = false;
  await tick(29_999);
  assert.deepEqual(sent(), ["one"]);
  await tick(1);
  assert.deepEqual(sent(), ["one", "one"]);
});

test("a rejected message is kept with its error, and does not block later ones", async () => {
  const { connection, outbox, sent } = start((payload) => {
    if (payload.content === "bad") throw new RequestError({ code: "archived", message: "This room is archived." });
    return stored(payload);
  });
  outbox.add("room_1", "bad");
  outbox.add("room_1", "good");
  sendOutbox(outbox, connection, noUploads());
  await settle();
  assert.deepEqual(sent(), ["bad", "good"]);
  assert.deepEqual(
    outbox.entries.map(({ content, error }) => [content, error]),
    [["bad", "This room is archived."]],
  );
});

test("a message without an acknowledgement does not block other conversations", async () => {
  const { connection, outbox } = start((payload) =>
    payload.conversation === "general" ? new Promise(() => {}) : stored(payload),
  );
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "slow");
  outbox.add("room_1", "quick");
  await settle();
  assert.deepEqual(
    outbox.entries.map(({ content }) => content),
    ["slow"],
  );
});

test("messages wait for the connection", async () => {
  const { connection, outbox, sent } = start(stored, { isConnected: false });
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "one");
  await settle();
  assert.deepEqual(sent(), []);
  connection.setConnected(true);
  await settle();
  assert.deepEqual(sent(), ["one"]);
  assert.deepEqual(outbox.entries, []);
});

test("a message whose acknowledgement was lost with the connection is sent again with its client_id", async () => {
  const { connection, outbox } = start((payload) => {
    if (connection.requests.length > 1) return stored(payload);
    connection.isConnected = false;
    throw new Error("disconnected");
  });
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "one");
  await settle();
  connection.setConnected(true);
  await settle();
  const [first, second] = connection.requests;
  assert.deepEqual(first, second);
  assert.deepEqual(outbox.entries, []);
});

test("messages of another tab are sent only if they are still there after two seconds", async (t) => {
  useFakeTimers(t);
  const area = new FakeStorage();
  const { connection, outbox, sent } = start(stored, { area });
  sendOutbox(outbox, connection, noUploads());
  const otherTab = new Outbox(new FallbackStorage(() => area), 1);
  for (const text of ["sent by the other tab", "left behind"]) otherTab.add("general", text);
  outbox.onStorageChange(null);
  otherTab.remove(otherTab.entries[0].client_id);
  await tick(1_999);
  assert.deepEqual(sent(), []);
  await tick(1);
  assert.deepEqual(sent(), ["left behind"]);
});

test("a reply to a message that was deleted is kept, and can be sent without the quote", async () => {
  const { connection, outbox } = start((payload) => {
    if (payload.reply_to) throw new RequestError({ code: "invalid_reply", message: "It was deleted." });
    return stored(payload);
  });
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "a reply", { reply_to: 3 });
  await settle();
  const [entry] = outbox.entries;
  assert.match(entry.error, /was deleted\. Retry sends it without the quote/);
  outbox.retry(entry.client_id);
  await settle();
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(
    connection.requests.map(({ conversation, content, reply_to }) => [conversation, content, reply_to]),
    [
      ["general", "a reply", 3],
      ["general", "a reply", undefined],
    ],
  );
});

test("a reply in a thread that was removed is kept, and can be sent to the conversation", async () => {
  const { connection, outbox } = start((payload) => {
    if (payload.thread) throw new RequestError({ code: "thread_removed", message: "It was removed." });
    return stored(payload);
  });
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "a reply", { reply_to: 4, thread: 3, also_in_room: true });
  await settle();
  const [{ client_id, created_at, ...kept }] = outbox.entries;
  assert.ok(created_at);
  assert.deepEqual(kept, {
    conversation: "general",
    content: "a reply",
    error: "The thread was removed. Retry sends it to the conversation.",
  });
  outbox.retry(client_id);
  await settle();
  assert.deepEqual(outbox.entries, []);
  assert.deepEqual(connection.requests.at(-1), { conversation: "general", content: "a reply", client_id });
});

test("a reply in a thread is sent with its thread", async () => {
  const { connection, outbox } = start(stored);
  sendOutbox(outbox, connection, noUploads());
  outbox.add("general", "a reply", { thread: 3, also_in_room: true });
  await settle();
  const [{ client_id, ...payload }] = connection.requests;
  assert.ok(client_id);
  assert.deepEqual(payload, { conversation: "general", content: "a reply", thread: 3, also_in_room: true });
});

/** Uploads that the test completes, or lets fail. */
class FakeUploads extends EventTarget {
  found = { references: null, problem: null };
  retried = [];

  findReferences({ files }) {
    return files ? this.found : { references: [], problem: null };
  }

  retryEntry(entry) {
    this.retried.push(entry.content);
    this.found = { references: null, problem: null };
  }

  on(name, listener) {
    this.addEventListener(name, listener);
  }

  settle(found) {
    this.found = { references: null, problem: null, ...found };
    this.dispatchEvent(new Event("settled"));
  }
}

test("a message waits until its files are uploaded, and later ones do not wait for it", async () => {
  const { connection, outbox, sent } = start(stored);
  const uploads = new FakeUploads();
  sendOutbox(outbox, connection, uploads);
  outbox.add("general", "with a file", { files: [{ key: "key", name: "a" }], tab: "tab" });
  outbox.add("general", "later");
  await settle();
  assert.deepEqual(sent(), ["later"]);
  uploads.settle({ references: [{ upload: "id", alt: "" }] });
  await settle();
  assert.deepEqual(sent(), ["later", "with a file"]);
  assert.deepEqual(connection.requests[1].files, [{ upload: "id", alt: "" }]);
  assert.ok(!("tab" in connection.requests[1]));
  assert.ok(!("files" in connection.requests[0]));
  assert.deepEqual(outbox.entries, []);
});

test("a message whose file cannot be uploaded says so, and its retry uploads again", async () => {
  const { connection, outbox, sent } = start(stored);
  const uploads = new FakeUploads();
  sendOutbox(outbox, connection, uploads);
  outbox.add("general", "with a file", { files: [{ key: "key", name: "a" }] });
  uploads.settle({ problem: "Too large" });
  const [entry] = outbox.entries;
  assert.equal(entry.error, "Too large");
  outbox.retry(entry.client_id);
  assert.deepEqual(uploads.retried, ["with a file"]);
  assert.equal(outbox.entries[0].error, undefined);
  uploads.settle({ references: [{ upload: "id", alt: "" }] });
  await settle();
  assert.deepEqual(sent(), ["with a file"]);
});
