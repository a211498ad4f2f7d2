import assert from "node:assert/strict";
import { test } from "node:test";
import { isNotable, isQuiet, parseSettings, SWITCHED_OFF } from "../../../static/js/core/notification_rules.js";

const ME = 1;
const message = (changes = {}) => ({ seq: 11, senderId: 2, mentions: [], isInRoom: true, ...changes });
const at = (/** @type {string} */ time) => new Date(`2026-11-28T${time}:00`);

const notable = (changes = {}, options = {}) =>
  isNotable(message(changes), { level: "mentions", isMuted: false, userId: ME, ...options });

test("the level of a conversation decides what is notable", () => {
  const messages = [{}, { mentions: [5] }, { mentions: [5, ME] }];
  const notableAt = (/** @type {string} */ level) => messages.map((changes) => notable(changes, { level }));
  assert.deepEqual(notableAt("all"), [true, true, true]);
  assert.deepEqual(notableAt("mentions"), [false, false, true]);
  assert.deepEqual(notableAt("nothing"), [false, false, false]);
});

test("nothing is notable in a muted conversation", () => {
  assert.equal(notable({ mentions: [ME] }, { level: "all", isMuted: true }), false);
});

test("own messages, from another device, are not notable", () => {
  assert.equal(notable({ senderId: ME, mentions: [ME] }, { level: "all" }), false);
});

test("quiet hours may include midnight", () => {
  const night = { ...SWITCHED_OFF, quietFrom: "22:00", quietUntil: "07:30" };
  assert.deepEqual(
    ["21:59", "22:00", "00:00", "07:29", "07:30", "12:00"].map((time) => isQuiet(at(time), night)),
    [false, true, true, true, false, false],
  );
});

test("quiet hours may be within a day", () => {
  const noon = { ...SWITCHED_OFF, quietFrom: "12:00", quietUntil: "13:00" };
  assert.deepEqual(
    ["11:59", "12:00", "12:59", "13:00"].map((time) => isQuiet(at(time), noon)),
    [false, true, true, false],
  );
});

test("without both ends, or with the same one twice, no hours are quiet", () => {
  for (const [quietFrom, quietUntil] of [
    ["", ""],
    ["22:00", ""],
    ["", "07:00"],
    ["08:00", "08:00"],
  ])
    assert.equal(
      isQuiet(at("08:00"), { ...SWITCHED_OFF, quietFrom: quietFrom ?? "", quietUntil: quietUntil ?? "" }),
      false,
    );
});

test("settings that are missing or damaged are switched off", () => {
  for (const stored of [null, "", "{", "null", "[]", '{"areShown": "yes", "quietFrom": "25:00", "quietUntil": 7}'])
    assert.deepEqual(parseSettings(stored), SWITCHED_OFF);
  const chosen = { areShown: true, haveSound: true, quietFrom: "22:00", quietUntil: "07:00" };
  assert.deepEqual(parseSettings(JSON.stringify(chosen)), chosen);
});

test("of replies that only a thread shows, those who are mentioned are notified", () => {
  const reply = { isInRoom: false };
  assert.equal(notable(reply, { level: "all" }), false);
  assert.equal(notable({ ...reply, mentions: [ME] }, { level: "mentions" }), true);
  assert.equal(notable({ ...reply, mentions: [ME] }, { level: "nothing" }), false);
});
