import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoadedAgain } from "../../../static/js/core/media_failures.js";

test("a player that fails for the first time is loaded again", () => {
  assert.ok(isLoadedAgain({ position: 0, time: 0 }, undefined));
});

test("a damaged file that plays on a little is not loaded again and again", () => {
  const last = { position: 20, time: 1_000 };
  for (const position of [20, 20.04, 19.96]) assert.ok(!isLoadedAgain({ position, time: 1_100 }, last), position);
});

test("a player is loaded again after a failure at another position, or later", () => {
  const last = { position: 20, time: 1_000 };
  assert.ok(isLoadedAgain({ position: 110, time: 2_000 }, last));
  assert.ok(isLoadedAgain({ position: 3, time: 2_000 }, last));
  assert.ok(isLoadedAgain({ position: 20, time: 11_000 }, last));
});
