import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffDelay, sleep } from "../../../static/js/core/backoff.js";
import { disableJitter, settle, tick, useFakeTimers } from "../harness.mjs";

test("the delay doubles with each failure up to its maximum", (t) => {
  disableJitter(t);
  assert.deepEqual(
    [1, 2, 3, 4].map((failures) => backoffDelay(failures)),
    [500, 1_000, 2_000, 4_000],
  );
  assert.equal(backoffDelay(20), 15_000);
  assert.equal(backoffDelay(2_000), 15_000);
  assert.equal(backoffDelay(20, 5_000), 5_000);
});

test("jitter shortens the delay by up to a half", (t) => {
  t.mock.method(Math, "random", () => 0);
  assert.equal(backoffDelay(3), 1_000);
});

test("sleep resolves after the delay", async (t) => {
  useFakeTimers(t);
  let isAwake = false;
  sleep(100).then(() => (isAwake = true));
  await tick(99);
  assert.equal(isAwake, false);
  await tick(1);
  await settle();
  assert.equal(isAwake, true);
});
