import assert from "node:assert/strict";
import { test } from "node:test";
import { placeReceipts } from "../../../static/js/core/read_receipts.js";

const MESSAGES = [
  { seq: 3, senderId: "1" },
  { seq: 5, senderId: "2" },
  { seq: 9, senderId: "1" },
];
const receipt = (id, name, seq) => ({ id, name, seq });

test("a receipt is shown under the last message that the person has read", () => {
  const people = placeReceipts([receipt(7, "Bob", 9), receipt(8, "Eve", 8), receipt(9, "Kim", 5)], MESSAGES);
  assert.deepEqual(
    [...people].map(([seq, readers]) => [seq, readers.map(({ name }) => name)]),
    [
      [9, ["Bob"]],
      [5, ["Eve", "Kim"]],
    ],
  );
});

test("nobody is shown under their own message, or above what is loaded", () => {
  assert.equal(placeReceipts([receipt(2, "Ana", 6), receipt(7, "Bob", 2)], MESSAGES).size, 0);
});
