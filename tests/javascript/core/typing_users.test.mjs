import assert from "node:assert/strict";
import { test } from "node:test";
import { describeTyping, TypingUsers } from "../../../static/js/core/typing_users.js";
import { tick, useFakeTimers } from "../harness.mjs";

const ANA = { id: 1, name: "Ana" };
const BOB = { id: 2, name: "Bob" };

test("typing expires five seconds after the last report", async (t) => {
  useFakeTimers(t);
  const users = new TypingUsers();
  users.add(ANA);
  await tick(4_000);
  users.add(ANA);
  await tick(4_000);
  assert.deepEqual(users.names, ["Ana"]);
  await tick(1_000);
  assert.deepEqual(users.names, []);
});

test("typing ends with a message of that person and with the connection", (t) => {
  useFakeTimers(t);
  const users = new TypingUsers();
  let changes = 0;
  users.on("change", () => changes++);
  users.add(ANA);
  users.add(BOB);
  users.remove(1);
  assert.deepEqual(users.names, ["Bob"]);
  users.remove(1);
  users.remove(undefined);
  assert.equal(changes, 3);
  users.clear();
  assert.deepEqual(users.names, []);
});

test("up to two names are shown", () => {
  assert.equal(describeTyping([]), "");
  assert.equal(describeTyping(["Ana"]), "Ana is typing…");
  assert.equal(describeTyping(["Ana", "Bob"]), "Ana and Bob are typing…");
  assert.equal(describeTyping(["Ana", "Bob", "Eve"]), "Several people are typing…");
});
