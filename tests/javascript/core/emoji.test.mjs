// Which messages are shown as large emoji. The tests of the server read the same cases.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isFewEmoji, isFewNamed } from "../../../static/js/core/emoji.js";

const { few, other } = JSON.parse(readFileSync(new URL("../../emoji_cases.json", import.meta.url), "utf8"));

test("a few emoji are large", () => {
  for (const content of few) assert.ok(isFewEmoji(content), content);
});

test("other texts are not", () => {
  for (const content of other) assert.ok(!isFewEmoji(content), content);
});

test("names of custom emoji count as emoji where their images are shown", () => {
  assert.ok(isFewNamed(":blobcat: :tada:\n🎉", "⭐ 🎉\n🎉"));
  assert.ok(!isFewNamed(":blobcat: :unknown:", "⭐ :unknown:"));
  assert.ok(!isFewNamed("**:blobcat:**", "⭐"), "it is formatted");
  assert.ok(!isFewNamed("/me :blobcat:", "⭐"));
});
