// Which pages the service worker keeps, and when it removes them.

import assert from "node:assert/strict";
import test from "node:test";

import { endsLogin, isConversation, keepPage, MAX_PAGES } from "../../../static/js/core/kept_pages.js";

const url = (path) => new URL(path, "http://chat.example.com");

test("conversations are kept, other pages and other places in a conversation are not", () => {
  for (const path of ["/", "/rooms/12", "/direct/bob+cyd", "/assistants/helper", "/sessions/3"])
    assert.ok(isConversation(url(path)), path);
  for (const path of ["/rooms", "/rooms/12/settings", "/settings", "/?at=12", "/api/messages", "/shared/token"])
    assert.ok(!isConversation(url(path)), path);
});

test("signing in, up and out removes what was kept", () => {
  for (const path of ["/sign-in?next=%2F", "/sign-out", "/setup/token", "/invitation/token"])
    assert.ok(endsLogin(url(path)), path);
  for (const path of ["/", "/settings", "/setup"]) assert.ok(!endsLogin(url(path)), path);
});

/** A `Cache` in memory. */
class Cache {
  #entries = new Map();

  async put(address, response) {
    this.#entries.delete(address);
    this.#entries.set(address, response);
  }

  async delete(address) {
    return this.#entries.delete(address);
  }

  async keys() {
    return [...this.#entries.keys()];
  }
}

test("the last pages that were read are kept", async () => {
  const cache = new Cache();
  for (let number = 0; number < MAX_PAGES; number++) await keepPage(cache, { url: `/rooms/${number}` }, "page");
  await keepPage(cache, { url: "/rooms/0" }, "newer");
  await keepPage(cache, { url: "/rooms/100" }, "page");
  const kept = await cache.keys();
  assert.equal(kept.length, MAX_PAGES);
  assert.deepEqual(kept.slice(-2), ["/rooms/0", "/rooms/100"]);
  assert.ok(!kept.includes("/rooms/1"));
});
