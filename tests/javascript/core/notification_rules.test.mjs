import assert from "node:assert/strict";
import { test } from "node:test";
import { isNotable, isQuiet, parseSettings, SWITCHED_OFF } from "../../../static/js/core/notification_rules.js";

const ME = 1;
const message = (changes = {}) => ({ seq: 11, senderId: 2, mentions: [], ...changes });
const at = (/** @type {string} */ time) => new Date(`2026-11-28T${time}:00`);

test("mentions are notable everywhere, other messages where all are", () => {
  assert.equal(isNotable(message(), { notifiesOfAll: false, userId: ME }), false);
  assert.equal(isNotable(message({ mentions: [5] }), { notifiesOfAll: false, userId: ME }), false);
  assert.equal(isNotable(message({ mentions: [5, ME] }), { notifiesOfAll: false, userId: ME }), true);
  assert.equal(isNotable(message(), { notifiesOfAll: true, userId: ME }), true);
});

test("own messages, from another device, are not notable", () => {
  assert.equal(isNotable(message({ senderId: ME, mentions: [ME] }), { notifiesOfAll: true, userId: ME }), false);
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
