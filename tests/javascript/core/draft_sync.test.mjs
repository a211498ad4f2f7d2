import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { RequestError } from "../../../static/js/core/connection.js";
import { SEPARATOR } from "../../../static/js/core/draft_merge.js";
import { DraftSync, PAUSE_MS, RETRY_MS } from "../../../static/js/core/draft_sync.js";
import { FallbackStorage } from "../../../static/js/core/fallback_storage.js";
import { FakeConnection, FakeStorage, settle, useFakeTimers } from "../harness.mjs";

/** The server: one draft of one person. */
class FakeServer {
  draft = { content: "", version: 0, client_id: null };
  version = 100;

  handle = (event, payload) => {
    if (event === "draft") return { draft: this.draft };
    if (payload.version !== this.draft.version) return { draft: this.draft, saved: false };
    this.store(payload.content, payload.client_id);
    return { draft: this.draft, saved: true };
  };

  store(content, client_id = null) {
    this.draft = content ? { content, version: ++this.version, client_id } : { content: "", version: 0, client_id };
  }
}

function newStorage(area = new FakeStorage()) {
  return new FallbackStorage(() => area);
}

function open({ server = new FakeServer(), storage = newStorage(), thread = null, ...options } = {}) {
  const connection = options.connection ?? new FakeConnection(server.handle);
  const { content, version } = options.stored ?? server.draft;
  const field = { text: content };
  const controller = new AbortController();
  const saved = [];
  const sync = new DraftSync({
    ...{ field, connection, storage, keys: { text: "draft", base: "base" } },
    ...{ conversation: "general", thread, maxChars: 100 },
    ...{ stored: { content, version }, signal: controller.signal, onSaved: (draft) => saved.push(draft) },
  });

  function type(text) {
    field.text = text;
    sync.onInput();
  }

  async function pause(milliseconds = PAUSE_MS) {
    mock.timers.tick(milliseconds);
    await settle();
  }

  function deliver(changed) {
    connection.deliver("draft_changed", { conversation: "general", thread, ...changed });
  }

  return { server, storage, connection, controller, field, saved, sync, type, pause, deliver };
}

test("a text is saved after a pause in typing, based on the version before", async (context) => {
  useFakeTimers(context);
  const { server, storage, connection, saved, sync, type, pause } = open();
  type("hel");
  mock.timers.tick(PAUSE_MS - 1);
  type("hello");
  assert.equal(storage.get("draft"), "hello");
  await pause();
  type("hello world");
  await pause();
  const client_id = sync.clientId;
  assert.deepEqual(connection.requests, [
    { conversation: "general", content: "hello", version: 0, client_id },
    { conversation: "general", content: "hello world", version: 101, client_id },
  ]);
  assert.equal(server.draft.content, "hello world");
  assert.deepEqual(saved.at(-1), { content: "hello world", version: server.draft.version });
  assert.deepEqual(storage.keys(""), []);
  await pause(RETRY_MS);
  assert.equal(connection.requests.length, 2);
});

test("an emptied text removes the draft, and the next one is based on none", async (context) => {
  useFakeTimers(context);
  const { server, connection, type, pause } = open({ thread: 7 });
  for (const text of ["one", "", "two"]) {
    type(text);
    await pause();
  }
  assert.deepEqual(
    connection.requests.map(({ version, thread }) => [version, thread]),
    [
      [0, 7],
      [101, 7],
      [0, 7],
    ],
  );
  assert.equal(server.draft.content, "two");
});

test("what another device has written is merged, and saved", async (context) => {
  useFakeTimers(context);
  const { server, field, type, pause } = open();
  server.store("one two");
  type("zero");
  await pause();
  assert.equal(field.text, `zero${SEPARATOR}one two`);
  await pause();
  assert.equal(server.draft.content, field.text);
});

test("an earlier text of this device is not merged, if its acknowledgement was lost", async (context) => {
  useFakeTimers(context);
  const { server, field, sync, type, pause } = open();
  server.store("abXc", sync.clientId);
  type("abXYc");
  await pause();
  assert.equal(field.text, "abXYc");
  await pause();
  assert.equal(server.draft.content, "abXYc");
});

test("another device's text is shown while nothing is typed", async (context) => {
  useFakeTimers(context);
  const { storage, field, connection, type, pause, deliver } = open();
  deliver({ content: "one", version: 5 });
  assert.equal(field.text, "one");
  deliver({ content: "older", version: 4 });
  connection.deliver("draft_changed", { conversation: "general", thread: 3, content: "of a thread", version: 6 });
  connection.deliver("draft_changed", { conversation: "room_1", thread: null, content: "of a room", version: 6 });
  assert.equal(field.text, "one");
  type("one, two");
  deliver({ content: "one, three", version: 7 });
  assert.equal(field.text, "one, two");
  deliver({ content: "one, two", version: 8 });
  assert.deepEqual(storage.keys(""), []);
  deliver({ content: "", version: 9 });
  assert.equal(field.text, "");
  await pause();
  assert.deepEqual(connection.requests, []);
});

test("an event that arrives during a save waits for its acknowledgement", async (context) => {
  useFakeTimers(context);
  const answers = [];
  const connection = new FakeConnection(() => new Promise((resolve) => answers.push(resolve)));
  const { field, sync, type, pause, deliver } = open({ connection });
  type("mine");
  await pause();
  await sync.save();
  deliver({ content: "mine", version: 5 });
  deliver({ content: "mine, and theirs", version: 6 });
  deliver({ content: "older", version: 4 });
  answers[0]({ draft: { content: "mine", version: 5, client_id: sync.clientId }, saved: true });
  await settle();
  assert.equal(field.text, "mine, and theirs");
  assert.equal(connection.requests.length, 1);
});

test("a save that fails is repeated, unless it was refused", async (context) => {
  useFakeTimers(context);
  let error = new Error("no acknowledgement");
  const connection = new FakeConnection(() => {
    throw error;
  });
  const { storage, type, pause } = open({ connection });
  type("one");
  await pause();
  assert.equal(storage.get("draft"), "one");
  error = new RequestError({ code: "archived" });
  await pause(RETRY_MS);
  await pause(RETRY_MS);
  assert.equal(connection.requests.length, 2);
  type("x".repeat(101));
  await pause();
  assert.equal(connection.requests.length, 2);
  assert.equal(storage.get("draft"), "x".repeat(101));
});

test("without a connection the browser keeps the text, which is saved after the reconnect", async (context) => {
  useFakeTimers(context);
  const { server, storage, connection, type, pause } = open();
  connection.setConnected(false);
  type("one");
  await pause();
  assert.deepEqual(connection.requests, []);

  const reloaded = open({ server, storage });
  assert.equal(reloaded.field.text, "one");
  await reloaded.pause();
  assert.equal(server.draft.content, "one");
});

test("a reload merges what was kept with what another device has saved", (context) => {
  useFakeTimers(context);
  const storage = newStorage();
  const server = new FakeServer();
  server.store("one two");
  const { connection, type } = open({ server, storage });
  connection.setConnected(false);
  type("one two three");
  server.store("zero one two");
  assert.equal(open({ server, storage }).field.text, "zero one two three");
});

test("a draft of an earlier version of the page is kept", (context) => {
  useFakeTimers(context);
  const area = new FakeStorage();
  area.draft = "from before";
  const { field } = open({ storage: newStorage(area) });
  assert.equal(field.text, "from before");
});

test("a message names the draft that it was, and its client id", async (context) => {
  useFakeTimers(context);
  const { server, connection, sync, type, pause, deliver } = open();
  const first = sync.clientId;
  assert.deepEqual(sync.take(), { client_id: first });
  const second = sync.clientId;
  assert.notEqual(second, first);
  type("hello");
  await pause();
  assert.deepEqual(sync.take(), { client_id: second, draft: 101 });
  type("");
  server.store("");
  deliver({ content: "", version: 102 });
  await pause();
  assert.equal(connection.requests.length, 1);

  // The acknowledgement of a save may still be on its way.
  connection.handler = () => new Promise(() => {});
  type("next");
  await pause();
  assert.equal(sync.take().draft, 0);
});

test("after an interruption the person finds the current text", async (context) => {
  useFakeTimers(context);
  const { server, connection, field, sync, type, deliver } = open();
  await sync.refresh();
  connection.setConnected(false);
  await sync.refresh();
  server.store("from another device");
  connection.handler = () => {
    throw new Error("no acknowledgement");
  };
  connection.setConnected(true);
  await sync.refresh();
  assert.equal(field.text, "");
  connection.handler = server.handle;
  await sync.refresh();
  assert.equal(field.text, "from another device");
  const { length } = connection.requests;
  await sync.refresh();
  assert.equal(connection.requests.length, length);

  connection.setConnected(false);
  connection.setConnected(true);
  connection.handler = (...request) => {
    const answer = server.handle(...request);
    deliver({ content: "newer", version: 200 });
    return answer;
  };
  await sync.refresh();
  assert.equal(field.text, "newer");
  type("typed");
  connection.setConnected(false);
  connection.setConnected(true);
  await sync.refresh();
  assert.equal(field.text, "typed");
});

test("what the last page in the window saved after this one was rendered is shown when it is connected", async () => {
  const server = new FakeServer();
  const connection = new FakeConnection(server.handle);
  connection.setConnected(false);
  const { field } = open({ server, connection });
  server.store("saved while the page was loaded");
  connection.setConnected(true);
  await settle();
  assert.equal(field.text, "saved while the page was loaded");
  const { length } = connection.requests;
  connection.setConnected(false);
  connection.setConnected(true);
  await settle();
  assert.equal(connection.requests.length, length);
});

test("a page that ends saves its text, and does nothing more", async (context) => {
  useFakeTimers(context);
  const { server, connection, controller, type, pause, deliver, field } = open();
  type("one");
  controller.abort();
  await settle();
  assert.equal(server.draft.content, "one");
  deliver({ content: "two", version: 300 });
  assert.equal(field.text, "one");
  field.text = "not typed";
  await pause(RETRY_MS);
  assert.equal(connection.requests.length, 1);
});
