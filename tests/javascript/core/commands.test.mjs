import assert from "node:assert/strict";
import { test } from "node:test";
import { commandsOf, findCommandPrefix, isCommand } from "../../../static/js/core/commands.js";

test("a command of a room is run, with or without an argument", () => {
  for (const text of ["/topic", "/topic New\nlines", " /leave ", "/invite @ana"]) assert.ok(isCommand(text, "room_26"));
});

test("a reminder is run everywhere", () => {
  assert.ok(isCommand("/remind me to call Ana at 9:00", "direct_2"));
});

test("what only looks like a command is sent", () => {
  for (const text of ["/me waves", "/usr/bin", "/topics", "//topic", "see /topic", "topic", ""])
    assert.ok(!isCommand(text, "room_26"), text);
  assert.ok(!isCommand("/topic x", "direct_2"), "other conversations have no topic");
});

test("commands are completed at the beginning of a message", () => {
  assert.equal(findCommandPrefix("/"), "");
  for (const name of ["to", "deploy-2_x"]) assert.equal(findCommandPrefix(`/${name}`), name);
  for (const text of ["", "a /", "/topic ", "/Topic", "\n/"]) assert.equal(findCommandPrefix(text), null);
});

test("each conversation has the commands that work in it", () => {
  assert.deepEqual(
    commandsOf("general").map(({ name }) => name),
    ["me", "remind"],
  );
  assert.equal(commandsOf("room_1").length, 5);
});
