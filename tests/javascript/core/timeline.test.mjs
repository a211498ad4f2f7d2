import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestError } from "../../../static/js/core/connection.js";
import { Timeline } from "../../../static/js/core/timeline.js";
import { defer, disableJitter, FakeConnection, settle, tick, useFakeTimers } from "../harness.mjs";

const CURSOR = 10;

/** A message list that shows the newest version of each message, as the page's does. */
class FakeView {
  versions = new Map();
  pending = new Set();
  hasOlder = false;
  rejected = [];
  formatted = [];

  show(message) {
    if (message.html) this.formatted.push([message.seq, message.html]);
    if (message.pending) return this.pending.add(message.client_id);
    this.pending.delete(message.client_id);
    if ((this.versions.get(message.seq) ?? 0) < message.version) this.versions.set(message.seq, message.version);
  }

  replaceAll(messages, hasOlder) {
    this.versions.clear();
    for (const message of messages) this.show(message);
    this.hasOlder = hasOlder;
  }

  removeUpTo(floor) {
    for (const seq of this.versions.keys()) if (seq <= floor) this.versions.delete(seq);
  }

  showFormatted({ seq, html }) {
    this.formatted.push([seq, html]);
  }

  rejectPending(...details) {
    this.rejected.push(details);
  }

  get seqs() {
    return [...this.versions.keys()].sort((a, b) => a - b);
  }
}

const message = (version, { seq = version, ...fields } = {}) => ({
  conversation: "general",
  pending: false,
  client_id: `client-${seq}`,
  seq,
  version,
  ...fields,
});

const catchUp = (messages, to, fields = {}) => ({
  messages,
  to,
  pending: [],
  readers: [],
  answers: [],
  is_public: false,
  reset: false,
  more: false,
  epoch: "first",
  floor: 0,
  ...fields,
});

/** Open a page that knows the conversation up to `CURSOR`. `acks` are the results of its requests, in order. */
async function open(...acks) {
  const connection = new FakeConnection(() => {
    const ack = acks.shift() ?? catchUp([], connection.requests.at(-1).after);
    if (ack instanceof Error) throw ack;
    return ack;
  });
  const view = new FakeView();
  const timeline = new Timeline(view, connection, { conversation: "general", cursor: CURSOR, epoch: "first" });
  const events = [];
  for (const name of ["joined", "reset", "current", "closed"]) timeline.on(name, () => events.push(name));
  await settle();
  const receive = (...messages) => messages.forEach((received) => connection.deliver("chat_message", received));
  return { connection, view, timeline, events, receive, cursor: () => connection.requests.at(-1).after };
}

test("the page requests what follows its cursor as soon as it is connected", async () => {
  const page = await open(catchUp([message(11), message(12)], 12));
  assert.deepEqual(page.connection.requests, [{ conversation: "general", after: CURSOR, epoch: "first" }]);
  assert.deepEqual(page.view.seqs, [11, 12]);
  assert.deepEqual(page.events, ["joined", "current"]);
});

test("the next event is shown without a request", async () => {
  const page = await open();
  page.receive(message(11), message(12));
  page.connection.deliver("message_changed", message(13, { seq: 11 }));
  assert.equal(page.connection.requests.length, 1);
  assert.deepEqual(
    [...page.view.versions],
    [
      [11, 13],
      [12, 12],
    ],
  );
});

test("a duplicate changes nothing and does not move the cursor back", async () => {
  const page = await open();
  page.receive(message(11), message(12), message(11), message(12), message(13));
  assert.equal(page.connection.requests.length, 1);
  assert.deepEqual(page.view.seqs, [11, 12, 13]);
});

test("a gap is filled by a catch-up", async () => {
  const page = await open(undefined, catchUp([message(11), message(12), message(13)], 13));
  page.receive(message(13));
  assert.deepEqual(page.view.seqs, []);
  await settle();
  assert.equal(page.connection.requests.length, 2);
  assert.equal(page.cursor(), CURSOR);
  assert.deepEqual(page.view.seqs, [11, 12, 13]);
});

test("events that arrive during a catch-up are applied after it, in order", async () => {
  const ack = defer();
  const page = await open(undefined, ack.promise);
  page.receive(message(12));
  page.receive(message(14), message(13), message(12));
  await settle();
  assert.deepEqual(page.view.seqs, []);
  ack.resolve(catchUp([message(11), message(12)], 12));
  await settle();
  assert.deepEqual(page.view.seqs, [11, 12, 13, 14]);
  assert.equal(page.connection.requests.length, 2);
});

test("a gap after a catch-up starts another one", async () => {
  const ack = defer();
  const page = await open(undefined, ack.promise, catchUp([message(13), message(14)], 14));
  page.receive(message(12));
  page.receive(message(14));
  ack.resolve(catchUp([message(11)], 11));
  await settle();
  assert.equal(page.connection.requests.length, 3);
  assert.equal(page.cursor(), 12);
  assert.deepEqual(page.view.seqs, [11, 12, 13, 14]);
});

test("a catch-up that is requested during another one follows it", async () => {
  const ack = defer();
  const page = await open(undefined, ack.promise);
  page.timeline.catchUp();
  page.timeline.catchUp();
  page.timeline.catchUp();
  ack.resolve(catchUp([message(11)], 11));
  await settle();
  assert.deepEqual(
    page.connection.requests.map(({ after }) => after),
    [10, 10, 11],
  );
});

test("a long catch-up is fetched in parts", async () => {
  const page = await open(catchUp([message(11)], 11, { more: true }), catchUp([message(12)], 12, { more: true }));
  assert.deepEqual(
    page.connection.requests.map(({ after }) => after),
    [10, 11, 12],
  );
  assert.equal(page.events.filter((name) => name === "current").length, 1);
});

test("a reset replaces the list and continues from its cursor", async () => {
  const page = await open(
    catchUp([message(500), message(501)], 600, { reset: true, epoch: "second", floor: 3 }),
    catchUp([], 601, { epoch: "second" }),
  );
  assert.deepEqual(page.view.seqs, [500, 501]);
  assert.ok(page.view.hasOlder);
  assert.deepEqual(page.events, ["reset", "joined", "current"]);
  page.connection.deliver("heads", { epoch: "second", conversations: { general: { last_event: 601, floor: 0 } } });
  await settle();
  assert.deepEqual(page.connection.requests.at(-1), { conversation: "general", after: 600, epoch: "second" });
});

/** Open a page that has to be loaded again. `loads` are what its view does, in order. */
async function openThread(...loads) {
  const thread = await open();
  thread.view.replaceAll = () => loads.shift()();
  thread.connection.handler = (_event, { after }) => catchUp([], 20, after === CURSOR ? { reset: true } : {});
  thread.timeline.catchUp();
  await settle();
  thread.events.length = 0;
  return thread;
}

test("events of a former epoch that arrive before a reset are neither shown nor waited for", async () => {
  const ack = defer();
  const page = await open(ack.promise, catchUp([message(6)], 6, { epoch: "second" }));
  page.receive(message(11));
  ack.resolve(catchUp([message(5)], 5, { reset: true, epoch: "second" }));
  await settle();
  assert.deepEqual(page.view.seqs, [5, 6]);
  assert.deepEqual(page.connection.requests.slice(1), [{ conversation: "general", after: 5, epoch: "second" }]);
  assert.deepEqual(page.events, ["reset", "joined", "joined", "current"]);
});

test("events that arrive while the view loads its messages are shown after it", async () => {
  const load = defer();
  const page = await openThread(() => load.promise);
  page.receive(message(21), message(22), message(23));
  await settle();
  assert.deepEqual(page.view.seqs, []);
  assert.deepEqual(page.events, []);
  // What it has loaded ends with event 21.
  load.resolve(21);
  await settle();
  assert.deepEqual(page.view.seqs, [21, 22, 23]);
  assert.deepEqual(page.events, ["reset", "joined", "current"]);
  assert.equal(page.connection.requests.length, 2);
  page.receive(message(24));
  assert.deepEqual(page.view.seqs, [21, 22, 23, 24]);
});

test("a view that could not load its messages loads them again, from the old cursor", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  const page = await openThread(
    async () => assert.fail("offline"),
    async () => 30,
  );
  assert.deepEqual(page.events, []);
  await tick(500);
  assert.deepEqual(
    page.connection.requests.map(({ after }) => after),
    [CURSOR, CURSOR, CURSOR],
  );
  assert.deepEqual(page.events, ["reset", "joined", "current"]);
  page.timeline.catchUp();
  assert.equal(page.cursor(), 30);
});

test("a view of which nothing is left continues from the cursor of the reset", async () => {
  const page = await openThread(async () => null);
  page.timeline.catchUp();
  assert.equal(page.cursor(), 20);
});

test("a view that loads nothing is replaced at once", async () => {
  const ack = defer();
  const page = await open(undefined, ack.promise);
  const order = [];
  page.view.replaceAll = () => void queueMicrotask(() => order.push("later"));
  for (const name of ["reset", "joined", "current"]) page.timeline.on(name, () => order.push(name));
  page.timeline.catchUp();
  ack.resolve(catchUp([], 20, { reset: true }));
  await settle();
  assert.deepEqual(order, ["reset", "joined", "current", "later"]);
});

test("after a reset to the beginning there are no older messages", async () => {
  const page = await open(catchUp([message(4)], 9, { reset: true, floor: 3 }));
  assert.ok(!page.view.hasOlder);
  const empty = await open(catchUp([], 9, { reset: true }));
  assert.ok(!empty.view.hasOlder);
});

test("purged messages are removed", async () => {
  const page = await open();
  page.receive(message(11), message(12), message(13));
  page.connection.deliver("heads", { epoch: "first", conversations: { general: { last_event: 13, floor: 12 } } });
  assert.deepEqual(page.view.seqs, [13]);
  assert.equal(page.connection.requests.length, 1);
});

test("a heartbeat reveals a missed event and a restored backup", async () => {
  const page = await open();
  const heads = (epoch, last_event) => ({ epoch, conversations: { general: { last_event, floor: 0 } } });
  page.connection.deliver("heads", heads("first", CURSOR));
  page.connection.deliver("heads", { epoch: "second", conversations: {} });
  await settle();
  assert.equal(page.connection.requests.length, 1);
  page.connection.deliver("heads", heads("first", CURSOR + 1));
  await settle();
  assert.equal(page.connection.requests.length, 2);
  page.connection.deliver("heads", heads("second", 1));
  await settle();
  assert.equal(page.connection.requests.length, 3);
});

test("a failed catch-up is retried with a back-off", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  const page = await open(new RequestError({ code: "unavailable" }), new Error("timeout"), catchUp([message(11)], 11));
  await tick(500);
  assert.equal(page.connection.requests.length, 2);
  await tick(1_000);
  assert.deepEqual(page.view.seqs, [11]);
  assert.deepEqual(page.events, ["joined", "current"]);
});

test("a catch-up that a lost connection interrupts is repeated on the next one", async () => {
  const ack = defer();
  const page = await open(undefined, ack.promise, catchUp([message(11), message(12)], 12));
  page.receive(message(12));
  page.connection.setConnected(false);
  ack.reject(new Error("disconnected"));
  await settle();
  assert.equal(page.connection.requests.length, 2);
  page.connection.setConnected(true);
  await settle();
  assert.equal(page.connection.requests.length, 3);
  assert.deepEqual(page.view.seqs, [11, 12]);
});

test("without a connection nothing is requested", async () => {
  const page = await open();
  page.connection.setConnected(false);
  await page.timeline.catchUp();
  assert.equal(page.connection.requests.length, 1);
});

test("a conversation that may no longer be read is closed", async () => {
  const page = await open(new RequestError({ code: "not_found" }));
  assert.deepEqual(page.events, ["closed"]);
  assert.equal(page.connection.requests.length, 1);
});

test("a pending message is shown, and replaced when it is stored", async () => {
  const page = await open();
  page.receive({ conversation: "general", pending: true, client_id: "client-11", seq: null, version: null });
  assert.deepEqual([...page.view.pending], ["client-11"]);
  page.connection.deliver("message_saved", { conversation: "general", sender_id: 1, message: message(11) });
  assert.equal(page.view.pending.size, 0);
  assert.deepEqual(page.view.seqs, [11]);
});

test("a pending message that is rejected is shown with its error", async () => {
  const page = await open();
  const saved = { sender_id: 1, client_id: "client-11", message: null, error: { message: "This room is archived." } };
  page.connection.deliver("message_saved", { conversation: "room_1", ...saved });
  page.connection.deliver("message_saved", { conversation: "general", ...saved });
  page.connection.deliver("message_saved", { conversation: "general", ...saved, error: undefined });
  assert.deepEqual(page.view.rejected, [
    [1, "client-11", "This room is archived."],
    [1, "client-11", ""],
  ]);
});

test("a catch-up brings the pending messages", async () => {
  const pending = { conversation: "general", pending: true, client_id: "waiting", seq: null, version: null };
  const page = await open(catchUp([], CURSOR, { pending: [pending] }));
  assert.deepEqual([...page.view.pending], ["waiting"]);
});

test("events of other conversations are ignored", async () => {
  const page = await open();
  page.receive(message(11, { conversation: "room_1" }), message(99, { conversation: "room_1" }));
  page.connection.deliver("heads", { epoch: "first", conversations: { room_1: { last_event: 99, floor: 50 } } });
  await settle();
  assert.deepEqual(page.view.seqs, []);
  assert.equal(page.connection.requests.length, 1);
});

test("the latest messages are requested without a cursor, and replace the others", async () => {
  const page = await open();
  page.connection.handler = () => catchUp([message(30), message(31)], 31, { reset: true });
  await page.timeline.showLatest();
  assert.deepEqual(page.connection.requests.at(-1), { conversation: "general" });
  assert.deepEqual(page.view.seqs, [30, 31]);
  page.connection.handler = () => catchUp([], 31);
  await page.timeline.catchUp();
  assert.equal(page.connection.requests.at(-1).after, 31);
});

test("the formatted text of a message is shown, also if the message waits for a catch-up", async () => {
  const slow = defer();
  const { connection, view, receive } = await open(catchUp([], CURSOR), slow.promise);
  const deliver = (seq, html, conversation = "general") =>
    connection.deliver("message_formatted", { conversation, seq, version: seq, html });
  deliver(CURSOR, "formatted");
  deliver(CURSOR, "of another conversation", "room_26");
  assert.deepEqual(view.formatted, [[CURSOR, "formatted"]]);
  view.formatted = [];
  receive(message(CURSOR + 2, { html: "as written" }));
  deliver(CURSOR + 2, "formatted later");
  view.formatted = [];
  slow.resolve(catchUp([message(CURSOR + 1)], CURSOR + 1));
  await settle();
  assert.deepEqual(view.formatted, [[CURSOR + 2, "formatted later"]]);
});

test("replies that only a thread shows are events, but not messages of the room", async () => {
  const page = await open(catchUp([message(11, { thread: 3, in_room: false }), message(12, { in_room: true })], 12));
  page.receive(message(13, { thread: 3, in_room: false }), message(14, { thread: 3, in_room: true }));
  assert.deepEqual(page.view.seqs, [12, 14]);
  assert.equal(page.connection.requests.length, 1);
});

test("a thread shows its first message and the replies to it", async () => {
  const connection = new FakeConnection(() => catchUp([message(11, { seq: 3 }), message(12, { in_room: true })], 12));
  const view = new FakeView();
  new Timeline(view, connection, { conversation: "general", cursor: CURSOR, epoch: "first", thread: 3 });
  await settle();
  for (const thread of [3, 4]) connection.deliver("chat_message", message(10 + thread, { thread, in_room: false }));
  assert.deepEqual(view.seqs, [3, 13]);
});
