import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseDestinations } from "../../../static/js/core/destinations.js";
import { FallbackStorage } from "../../../static/js/core/fallback_storage.js";
import { RecentPages } from "../../../static/js/core/recent_pages.js";
import { FakeStorage } from "../harness.mjs";

const destination = (title, options = {}) => ({
  key: `/${title}`,
  title,
  names: [title],
  isKnown: true,
  isFavorite: false,
  isUnread: false,
  ...options,
});
const ALL = [
  destination("general"),
  destination("design"),
  destination("news", { isUnread: true }),
  destination("people"),
  destination("plans", { isFavorite: true }),
  destination("dan", { isKnown: false }),
  destination("zoe", { isKnown: false }),
];
const chosen = (text, recent = [], current = "/general") =>
  chooseDestinations(ALL, text, recent, current).map(({ title }) => title);

test("without a text, those opened last come first, then favorites, then unread ones, and the current page is left out", () => {
  assert.deepEqual(chosen("", ["/general", "/people", "/zoe", "/gone"]), ["people", "zoe", "plans", "news", "design"]);
  assert.deepEqual(chosen(" ", [], "/people"), ["plans", "news", "general", "design"]);
});

test("a text finds all, with the current page", () => {
  assert.deepEqual(chosen("d"), ["dan", "design"]);
  assert.deepEqual(chosen("d", ["/design"]), ["design", "dan"]);
  for (const text of ["gen", "#gen", " @gen"]) assert.deepEqual(chosen(text), ["general"], text);
});

test("the last pages of a person are kept, each once, and a limited number of them", () => {
  const area = new FakeStorage();
  const pages = new RecentPages(new FallbackStorage(() => area), 1);
  assert.deepEqual(pages.list(), []);
  for (const path of ["/", "/people", "/"]) pages.add(path);
  assert.deepEqual(pages.list(), ["/", "/people"]);
  assert.deepEqual(new RecentPages(new FallbackStorage(() => area), 2).list(), []);
  for (let number = 0; number < 40; number += 1) pages.add(`/rooms/${number}`);
  assert.equal(pages.list().length, 30);
  assert.equal(pages.list()[0], "/rooms/39");
  pages.clear();
  assert.deepEqual(pages.list(), []);
  assert.deepEqual(Object.keys(area), []);
});
