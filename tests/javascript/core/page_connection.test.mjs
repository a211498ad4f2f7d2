import assert from "node:assert/strict";
import { test } from "node:test";
import { PageConnection } from "../../../static/js/core/page_connection.js";
import { Timeline } from "../../../static/js/core/timeline.js";
import { FakeConnection, settle } from "../harness.mjs";

function open(handler) {
  const connection = new FakeConnection(handler);
  const controller = new AbortController();
  const page = new PageConnection(connection, controller.signal);
  return { connection, controller, page };
}

test("a page that was put away receives no events, and counts as offline", () => {
  const { connection, page } = open();
  const states = [];
  const received = [];
  page.watchState((state) => states.push(state));
  page.on("chat_message", (message) => received.push(message));
  connection.deliver("chat_message", "first");
  page.pause();
  connection.deliver("chat_message", "second");
  connection.setConnected(false);
  connection.setConnected(true);
  assert.ok(!page.isConnected);
  page.resume();
  connection.deliver("chat_message", "third");
  assert.ok(page.isConnected);
  assert.deepEqual(states, ["connected", "offline", "connected"]);
  assert.deepEqual(received, ["first", "third"]);
});

test("a page that has ended has no listeners", () => {
  const { connection, controller, page } = open();
  const states = [];
  page.watchState((state) => states.push(state));
  page.on("chat_message", () => states.push("message"));
  controller.abort();
  connection.setConnected(false);
  connection.deliver("chat_message", {});
  assert.deepEqual(states, ["connected"]);
});

test("requests are sent while the page is put away: a change that was begun is finished", async () => {
  const { page } = open((event, payload) => ({ event, payload }));
  page.pause();
  assert.deepEqual(await page.request("edit_message", { seq: 1 }), { event: "edit_message", payload: { seq: 1 } });
});

test("a timeline that is shown again requests what follows its cursor", async () => {
  const message = (version) => ({ conversation: "general", pending: false, seq: version, version });
  const missed = { messages: [], pending: [], readers: [], answers: [], epoch: "e", floor: 0, to: 3, more: false };
  const { connection, page } = open(() => missed);
  const shown = [];
  const view = { show: ({ seq }) => shown.push(seq), removeUpTo() {} };
  new Timeline(view, page, { conversation: "general", cursor: 3, epoch: "e" });
  await settle();
  page.pause();
  connection.deliver("chat_message", message(4));
  Object.assign(missed, { messages: [message(4), message(5)], to: 5 });
  page.resume();
  connection.deliver("chat_message", message(6));
  await settle();
  assert.deepEqual(
    connection.requests.map(({ after }) => after),
    [3, 3],
  );
  assert.deepEqual(shown, [4, 5, 6]);
});
