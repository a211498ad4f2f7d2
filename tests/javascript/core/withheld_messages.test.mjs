import assert from "node:assert/strict";
import { test } from "node:test";
import { WithheldMessages } from "../../../static/js/core/withheld_messages.js";
import { defer } from "../harness.mjs";

const message = (seq, version = seq) => ({ seq, version });

test("each new message counts once, and changes of others do not", () => {
  const withheld = new WithheldMessages(20);
  assert.equal(withheld.add(message(21)), true);
  assert.equal(withheld.add(message(21, 22)), false);
  assert.equal(withheld.add(message(15, 23)), false);
  assert.equal(withheld.add(message(24)), true);
  assert.equal(withheld.latestSeq, 24);
});

test("what arrives while a page is loaded is shown after the page, in the order of the events", async () => {
  const withheld = new WithheldMessages(20);
  withheld.add(message(21));
  const response = defer();
  const shown = [];
  const loading = withheld.during(
    () => response.promise,
    async (page) => shown.push(page),
    ({ version }) => shown.push(version),
  );
  withheld.add(message(23));
  withheld.add(message(12, 22));
  response.resolve("page");
  await loading;
  assert.deepEqual(shown, ["page", 22, 23]);

  await withheld.during(
    async () => "next",
    async (page) => shown.push(page),
    ({ version }) => shown.push(version),
  );
  assert.deepEqual(shown.slice(3), ["next"]);
});

test("two pages that are loaded at the same time both get what arrives", async () => {
  const withheld = new WithheldMessages(20);
  const responses = [defer(), defer()];
  const shown = [];
  const loads = responses.map(({ promise }) =>
    withheld.during(
      () => promise,
      async (page) => shown.push(page),
      ({ version }) => shown.push(version),
    ),
  );
  withheld.add(message(21));
  responses[0].resolve("older");
  await loads[0];
  responses[1].resolve("newer");
  await loads[1];
  assert.deepEqual(shown, ["older", 21, "newer", 21]);
});

test("a page that cannot be loaded loses nothing that a later one needs", async () => {
  const withheld = new WithheldMessages(20);
  const shown = [];
  const failing = withheld.during(
    () => Promise.reject(new Error("offline")),
    async () => {},
    ({ version }) => shown.push(version),
  );
  withheld.add(message(21));
  await assert.rejects(failing, /offline/);
  assert.deepEqual(shown, [21]);
  assert.equal(withheld.latestSeq, 21);
});

test("a message that waits for a page is shown with its formatted text", async () => {
  const withheld = new WithheldMessages(20);
  const page = defer();
  const shown = [];
  const load = withheld.during(
    () => page.promise,
    async () => {},
    ({ html }) => shown.push(html),
  );
  withheld.add({ ...message(21), seq: 21, html: "as written" });
  withheld.add({ ...message(22), seq: 22, html: "as written" });
  withheld.format({ seq: 21, version: 21, html: "formatted" });
  page.resolve();
  await load;
  assert.deepEqual(shown, ["formatted", "as written"]);
});
