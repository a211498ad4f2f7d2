import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { RequestError } from "../../../static/js/core/connection.js";
import { boxPlace, isBoxPlace, Uploads } from "../../../static/js/core/uploads.js";
import { defer, disableJitter, settle, tick, useFakeTimers } from "../harness.mjs";

const BOX = boxPlace({ conversation: "general", thread: null });

/** The database of a browser, and the tabs that are open. */
class FakeStorage {
  records = new Map();
  open = new Set();
  isBroken = false;

  async load() {
    this.#check();
    return { uploads: [...this.records.values()], isOpen: (tab) => this.open.has(tab) };
  }

  async put(upload) {
    this.#check();
    this.records.set(upload.key, { ...upload });
  }

  async delete(key) {
    this.#check();
    this.records.delete(key);
  }

  #check() {
    if (this.isBroken) throw new Error("QuotaExceededError");
  }
}

/** A server whose transfers the test decides. */
class FakeServer {
  created = [];
  transfers = [];
  cancelled = [];
  failure = null;

  async create(name, size) {
    if (this.failure) throw this.failure;
    const id = `upload-${this.created.length + 1}`;
    this.created.push({ name, size });
    return { id, url: `/uploads/${id}`, size };
  }

  send(file, url, { onProgress, signal }) {
    const transfer = { ...defer(), file, url, onProgress, signal };
    this.transfers.push(transfer);
    signal.addEventListener("abort", () => transfer.resolve());
    return transfer.promise;
  }

  cancel(url) {
    this.cancelled.push(url);
  }
}

async function start({ storage = new FakeStorage(), server = new FakeServer(), tab = "tab", entries = [] } = {}) {
  const uploads = new Uploads(server, storage, tab);
  await uploads.load(entries);
  return { uploads, storage, server };
}

const fileOf = (size) => new Blob(["x".repeat(size)]);

const add = (uploads, name, size = 10) => uploads.add(BOX, fileOf(size), name);

test("a file is uploaded, and its message refers to it with its alternative text", async () => {
  const { uploads, server } = await start();
  const key = add(uploads, "a.png");
  uploads.describe(key, { alt: "A tree", width: 4, height: 3 });
  await settle();
  const entry = { files: uploads.take(BOX, "client-id") };
  assert.deepEqual(entry.files, [{ key, name: "a.png", size: 10, alt: "A tree", width: 4, height: 3 }]);
  assert.deepEqual(uploads.findReferences(entry), { references: null, problem: null });
  server.transfers[0].onProgress(5);
  assert.equal(uploads.find(key).sent, 5);
  server.transfers[0].resolve();
  await settle();
  assert.deepEqual(uploads.findReferences(entry).references, [{ upload: "upload-1", alt: "A tree" }]);
  assert.deepEqual(uploads.list(BOX), []);
});

test("a message without files waits for none", async () => {
  const { uploads } = await start();
  assert.deepEqual(uploads.findReferences({}), { references: [], problem: null });
  uploads.retryEntry({});
});

test("three files are uploaded at once, and the others follow in order", async () => {
  const { uploads, server } = await start();
  for (const name of ["a", "b", "c", "d", "e"]) add(uploads, name);
  await settle();
  assert.deepEqual(
    server.created.map(({ name }) => name),
    ["a", "b", "c"],
  );
  server.transfers[1].resolve();
  await settle();
  assert.deepEqual(
    server.created.map(({ name }) => name),
    ["a", "b", "c", "d"],
  );
});

test("an upload goes on after a failure, as often as it takes, and at once when the connection is back", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  const { uploads, server } = await start();
  server.failure = new Error("not connected");
  add(uploads, "a");
  await settle();
  server.failure = null;
  await tick(499);
  assert.equal(server.transfers.length, 0);
  await tick(1);
  assert.equal(server.transfers.length, 1);
  server.transfers[0].reject(new RequestError({ code: "busy", retry_after: 60 }));
  await settle();
  await tick(59_999);
  assert.equal(server.transfers.length, 1);
  uploads.wake();
  await settle();
  assert.equal(server.transfers.length, 2);
  assert.equal(server.created.length, 1);
});

test("an upload that the server has removed begins again", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  const { uploads, server } = await start();
  const key = add(uploads, "a");
  await settle();
  server.transfers[0].onProgress(9);
  server.transfers[0].reject(new RequestError({ code: "not_found" }));
  await settle();
  assert.equal(uploads.find(key).sent, 0);
  await tick(500);
  assert.equal(server.transfers[1].url, "/uploads/upload-2");
});

test("a file that the server refuses stops, and can be tried again", async () => {
  const { uploads, server } = await start();
  server.failure = new RequestError({ code: "file_too_large", message: "Files can have 100 MB." });
  const key = add(uploads, "a");
  await settle();
  assert.equal(uploads.find(key).error, "Files can have 100 MB.");
  const entry = { files: uploads.take(BOX, "client-id") };
  assert.equal(uploads.findReferences(entry).problem, "“a”: Files can have 100 MB.");
  server.failure = null;
  uploads.retryEntry(entry);
  await settle();
  server.transfers[0].resolve();
  await settle();
  assert.equal(uploads.findReferences(entry).references.length, 1);
  // The server does not have it any more: it is asked again.
  uploads.retryEntry(entry);
  await settle();
  assert.equal(server.transfers[1].url, "/uploads/upload-1");
  assert.equal(uploads.findReferences(entry).references, null);
});

test("a cancelled file is removed here and from the server", async (t) => {
  useFakeTimers(t);
  const { uploads, server, storage } = await start();
  const key = add(uploads, "a");
  await settle();
  assert.equal(storage.records.size, 1);
  uploads.cancel(key);
  await settle();
  assert.deepEqual(server.cancelled, ["/uploads/upload-1"]);
  assert.ok(server.transfers[0].signal.aborted);
  assert.equal(storage.records.size, 0);
  assert.equal(uploads.find(key), undefined);
  uploads.cancel(key);
  uploads.retry(key);
  uploads.describe(key, { alt: "" });
  uploads.retryEntry({ files: [{ key }] });
  assert.equal(server.cancelled.length, 1);
});

test("a file that is cancelled while its upload is created is removed from the server", async () => {
  const { uploads, server, storage } = await start();
  const key = add(uploads, "a");
  uploads.cancel(key);
  await settle();
  assert.deepEqual(server.cancelled, ["/uploads/upload-1"]);
  assert.equal(server.transfers.length, 0);
  assert.equal(storage.records.size, 0);
});

test("a failure after a cancellation is none", async () => {
  const { uploads, server } = await start();
  const key = add(uploads, "a");
  await settle();
  server.transfers[0].reject(new Error("aborted"));
  uploads.cancel(key);
  await settle();
  assert.equal(server.transfers.length, 1);
});

test("uploads survive a reload in their order, and what is complete is not sent again", async () => {
  const { uploads, server, storage } = await start();
  for (const name of ["a", "b", "c"]) add(uploads, name);
  await settle();
  server.transfers[0].resolve();
  await settle();
  const reloaded = await start({ storage, server: new FakeServer() });
  await settle();
  assert.deepEqual(
    reloaded.uploads.list(BOX).map(({ name, sent }) => [name, sent]),
    [
      ["a", 10],
      ["b", 0],
      ["c", 0],
    ],
  );
  assert.deepEqual(
    reloaded.server.transfers.map(({ url }) => url),
    ["/uploads/upload-2", "/uploads/upload-3"],
  );
});

test("a tab takes over the uploads of tabs that were closed", async () => {
  const { uploads, storage } = await start({ tab: "closed" });
  const key = add(uploads, "a");
  await settle();
  const other = await start({ storage, tab: "other" });
  await settle();
  assert.equal(other.uploads.find(key).tab, "other");
  assert.equal(storage.records.get(key).tab, "other");
});

test("a file that the browser cannot keep is uploaded, and lost by a reload", async () => {
  const { uploads, storage } = await start();
  storage.isBroken = true;
  const key = add(uploads, "a");
  await settle();
  assert.ok(uploads.hasUnkept);
  const entry = { tab: "tab", client_id: "client-id", files: uploads.take(BOX, "client-id") };
  const ofOther = { ...entry, tab: "other", files: [{ key: "other", name: "b" }] };
  const { uploads: reloaded } = await start({ storage, entries: [entry, ofOther] });
  assert.match(reloaded.findReferences(entry).problem, /“a”: The file was lost/);
  assert.equal(reloaded.findReferences(ofOther).problem, null);
  uploads.cancel(key);
  await settle();
  assert.ok(!uploads.hasUnkept);
});

test("a message of another tab waits while that tab is open", async () => {
  const storage = new FakeStorage();
  storage.open.add("other");
  const entries = ["other", "closed", undefined].map((tab) => ({
    tab,
    client_id: tab,
    files: [{ key: tab, name: "a" }],
  }));
  const { uploads } = await start({ storage, entries: [...entries, { client_id: "text" }] });
  const [ofOther, ofClosed, unknown] = entries.map((entry) => uploads.findReferences(entry).problem);
  assert.equal(ofOther, null);
  assert.ok(ofClosed);
  assert.ok(unknown);
});

test("what was sent or discarded is removed, and what is being written stays", async () => {
  const { uploads, storage, server } = await start();
  add(uploads, "sent");
  uploads.take(BOX, "client-id");
  add(uploads, "draft");
  await settle();
  uploads.removeOthers([{ client_id: "client-id" }]);
  assert.equal(uploads.list("client-id").length, 1);
  uploads.removeOthers([]);
  await settle();
  assert.deepEqual(
    [...storage.records.values()].map(({ name }) => name),
    ["draft"],
  );
  assert.deepEqual(server.cancelled, []);
  uploads.forget();
  await settle();
  assert.equal(storage.records.size, 0);
});

test("nothing is removed before it is known what was kept", async () => {
  const uploads = new Uploads(new FakeServer(), new FakeStorage(), "tab");
  add(uploads, "a");
  uploads.take(BOX, "client-id");
  uploads.removeOthers([]);
  assert.equal(uploads.list("client-id").length, 1);
});

test("the boxes of a room and of its threads are places of their own", () => {
  const places = [null, 3].map((thread) => boxPlace({ conversation: "room_1", thread }));
  assert.equal(new Set(places).size, 2);
  assert.ok(places.every(isBoxPlace));
  assert.ok(!isBoxPlace("0e8a4ff2-3c1b-4a57-9d0e-5f2c8f0a1b2c"));
});

test("listeners learn of each change by its place", async () => {
  const { uploads, server } = await start();
  const places = [];
  uploads.on("change", ({ place }) => places.push(place));
  let settled = 0;
  uploads.on("settled", () => settled++);
  assert.equal(uploads.tab, "tab");
  add(uploads, "a");
  await settle();
  server.transfers[0].onProgress(5);
  server.transfers[0].resolve();
  await settle();
  assert.ok(places.length >= 3 && places.every((place) => place === BOX));
  assert.equal(settled, 1);
});

test("a message that is sent later waits until its files are uploaded, and takes them out of the box", async () => {
  const { uploads, server } = await start();
  const { signal } = new AbortController();
  const [first, second] = [add(uploads, "a"), add(uploads, "b")];
  await settle();
  const waiting = uploads.waitForReferences(BOX, signal);
  server.transfers[0].resolve();
  await settle();
  assert.equal(getEventListeners(signal, "abort").length, 1, "one for all changes");
  uploads.cancel(second);
  const { references } = await waiting;
  assert.equal(getEventListeners(signal, "abort").length, 0);
  assert.deepEqual(references, [{ upload: "upload-1", alt: "" }]);
  add(uploads, "later");
  uploads.removeSent(BOX, references);
  assert.equal(uploads.find(first), undefined);
  assert.deepEqual(
    uploads.list(BOX).map(({ name }) => name),
    ["later"],
  );
  assert.deepEqual(server.cancelled, ["/uploads/upload-2"]);
});

test("waiting for files ends with one that cannot be uploaded, or when it is given up", async () => {
  const { uploads, server } = await start();
  const controller = new AbortController();
  add(uploads, "a");
  await settle();
  const given = uploads.waitForReferences(BOX, controller.signal);
  controller.abort();
  assert.deepEqual(await given, { references: null, problem: null });
  const waiting = uploads.waitForReferences(BOX, new AbortController().signal);
  server.transfers[0].reject(new RequestError({ code: "quota_exceeded", message: "Too many files." }));
  assert.deepEqual(await waiting, { references: null, problem: "“a”: Too many files." });
});
