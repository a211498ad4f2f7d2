import assert from "node:assert/strict";
import { test } from "node:test";
import { watchNewMessages } from "../../../static/js/core/new_messages.js";
import { FakeConnection } from "../harness.mjs";

const stored = (seq, sender = { id: 2 }) => ({ conversation: "room_1", seq, sender, mentions: [3] });

function watch() {
  const connection = new FakeConnection();
  const reported = [];
  watchNewMessages(connection, (conversation, { seq, senderId }) => reported.push([conversation, seq, senderId]));
  return { connection, reported };
}

test("new messages are reported, on the page and elsewhere", () => {
  const { connection, reported } = watch();
  connection.deliver("chat_message", stored(1));
  connection.deliver("chat_message", stored(2, null));
  connection.deliver("news", { conversation: "room_2", seq: 7, sender_id: 4, mentions: [] });
  assert.deepEqual(reported, [
    ["room_1", 1, 2],
    ["room_1", 2, null],
    ["room_2", 7, 4],
  ]);
});

test("a pending message is reported when it is stored", () => {
  const { connection, reported } = watch();
  connection.deliver("chat_message", stored(null));
  connection.deliver("message_saved", { message: null });
  assert.deepEqual(reported, []);
  connection.deliver("message_saved", { message: stored(3) });
  assert.deepEqual(reported, [["room_1", 3, 2]]);
});
