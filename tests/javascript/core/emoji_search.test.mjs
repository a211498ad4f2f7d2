import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addRecent,
  CUSTOM,
  findEmojiPrefix,
  MAX_RECENT,
  readCustomEmoji,
  readEmoji,
  searchEmoji,
  separate,
  withTone,
} from "../../../static/js/core/emoji_search.js";

const DATA = [
  {
    emoji: "😀",
    annotation: "grinning face",
    group: 0,
    version: 1,
    shortcodes: ["grinning"],
    tags: ["happy", "smile"],
  },
  { emoji: "😄", annotation: "grinning face with smiling eyes", group: 0, version: 1, shortcodes: ["smile"] },
  {
    emoji: "👍️",
    annotation: "thumbs up",
    group: 1,
    version: 1,
    shortcodes: ["+1", "thumbsup"],
    skins: [
      { emoji: "👍🏻", tone: 1 },
      { emoji: "👍🏿", tone: [1, 2] },
    ],
  },
  { emoji: "❤️", annotation: "red heart", group: 8, version: 1, shortcodes: ["heart"] },
  { emoji: "💔", annotation: "broken heart", group: 0, version: 1, shortcodes: ["broken_heart"], tags: ["sad"] },
  { emoji: "🏻", annotation: "light skin tone", group: 2, version: 1 },
  { emoji: "🫩", annotation: "face with bags under eyes", group: 0, version: 16 },
  { emoji: "🪿", annotation: "goose", group: 3, version: 15 },
];

const ALL = readEmoji(DATA);
const search = (query) => searchEmoji(ALL, query).map(({ emoji }) => emoji);

test("emoji that systems have are offered, as keyboards type them", () => {
  assert.deepEqual(
    ALL.map(({ emoji }) => emoji),
    ["😀", "😄", "👍", "❤️", "💔", "🪿"],
  );
});

test("a search finds names, words and tags, the best ones first", () => {
  assert.deepEqual(search("smile"), ["😄", "😀"]);
  assert.deepEqual(search("Heart"), ["❤️", "💔"]);
  assert.deepEqual(search("broken_h"), ["💔"]);
  assert.deepEqual(search("face eyes"), ["😄"]);
  assert.deepEqual(search("+1"), ["👍"]);
  assert.deepEqual(search("sad"), ["💔"]);
  assert.deepEqual(search("thumbs u"), ["👍"]);
  assert.deepEqual(search("nothing"), []);
  assert.equal(search(" ").length, ALL.length);
});

test("a name begins with a colon after a space, and has two letters", () => {
  assert.equal(findEmojiPrefix("so :ta"), "ta");
  assert.equal(findEmojiPrefix(":+1"), "+1");
  for (const text of [":t", "10:30", "https://x", "a:bc", ":tada:", "so :)"]) assert.equal(findEmojiPrefix(text), null);
});

test("skin tones apply to the emoji that have them", () => {
  const [thumb, heart] = [ALL[2], ALL[3]];
  assert.equal(withTone(thumb, 1), "👍🏻");
  assert.equal(withTone(thumb, 0), "👍");
  assert.equal(withTone(heart, 1), "❤️");
});

test("what was used last is kept once, the latest first", () => {
  assert.deepEqual(addRecent(["a", "b"], "b"), ["b", "a"]);
  assert.equal(addRecent(Array.from({ length: MAX_RECENT }, String), "x").length, MAX_RECENT);
});

test("custom emoji are found by their names and parts of them", () => {
  const custom = readCustomEmoji([
    { name: "party_blob", url: "/emoji/1", still_url: "/emoji/1?size=small", width: 64, height: 32 },
    { name: "smile-more", url: "/emoji/2", still_url: "/emoji/2", width: 64, height: 64 },
  ]);
  assert.deepEqual(custom[0].image, { url: "/emoji/1", stillUrl: "/emoji/1?size=small", width: 64, height: 32 });
  assert.deepEqual(new Set(custom.map(({ group }) => group)), new Set([CUSTOM]));
  const find = (query) => searchEmoji([...custom, ...ALL], query).map(({ emoji }) => emoji);
  assert.deepEqual(find("party_b"), [":party_blob:"]);
  assert.deepEqual(find("blob"), [":party_blob:"]);
  assert.deepEqual(find("smile"), ["😄", ":smile-more:", "😀"]);
  assert.deepEqual(find("smile-m"), [":smile-more:"]);
});

test("the name of a custom emoji is not inserted directly beside a word", () => {
  assert.equal(separate(":blob:", "", ""), ":blob:");
  assert.equal(separate(":blob:", "hello", "world"), " :blob: ");
  assert.equal(separate(":blob:", "hello ", ":blob: a"), ":blob:");
  assert.equal(separate("🎉", "hello", "world"), "🎉");
});
