import assert from "node:assert/strict";
import { test } from "node:test";

import { isWithinLimit } from "../../../static/js/core/time_limits.js";

const secondsAgo = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

test("without a limit messages can always be changed", () => {
  assert.ok(isWithinLimit(secondsAgo(1_000_000), 0));
});

test("a message can be changed until the limit is over", () => {
  assert.ok(isWithinLimit(secondsAgo(30), 60));
  assert.ok(!isWithinLimit(secondsAgo(90), 60));
});

test("a message of a server whose clock is ahead can be changed", () => {
  assert.ok(isWithinLimit(secondsAgo(-30), 60));
});
