import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { PageConnection } from "../../../static/js/core/page_connection.js";
import { RECONNECT_SPREAD_MS, refreshOnConnect } from "../../../static/js/core/refreshing.js";
import { FakeConnection, settle, useFakeTimers } from "../harness.mjs";

function open({ isConnected = true, succeeds = true } = {}) {
  const connection = new FakeConnection();
  connection.setConnected(isConnected);
  const controller = new AbortController();
  const { signal } = controller;
  const page = new PageConnection(connection, signal);
  const frames = [];
  const opened = { connection, controller, page, loads: 0, succeeds };
  const load = async () => {
    opened.loads++;
    return opened.succeeds;
  };
  refreshOnConnect(connection, page, load, { signal, afterFrame: (callback) => frames.push(callback) });
  opened.paint = async () => {
    for (const callback of frames.splice(0)) callback();
    await settle();
  };
  return opened;
}

async function pass(milliseconds) {
  mock.timers.tick(milliseconds);
  await settle();
}

test("a page loads after its first frame, and not again when it is put away and shown", async (context) => {
  useFakeTimers(context);
  const opened = open();
  assert.equal(opened.loads, 0);
  await opened.paint();
  assert.equal(opened.loads, 1);
  opened.page.pause();
  opened.page.resume();
  await opened.paint();
  await pass(RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 1);
});

test("a page whose window connects later loads then", async (context) => {
  useFakeTimers(context);
  const connection = new FakeConnection();
  Object.defineProperty(connection, "state", { get: () => (connection.isConnected ? "connected" : "connecting") });
  connection.isConnected = false;
  const { signal } = new AbortController();
  const page = new PageConnection(connection, signal);
  let loads = 0;
  refreshOnConnect(connection, page, async () => Boolean(++loads), { signal, afterFrame: (callback) => callback() });
  assert.equal(loads, 0);
  connection.setConnected(true);
  assert.equal(loads, 1);
});

test("after an interruption it loads once, at a random moment", async (context) => {
  useFakeTimers(context);
  context.mock.method(Math, "random", () => 0.5);
  const opened = open();
  await opened.paint();
  for (const isConnected of [false, true, false, true]) opened.connection.setConnected(isConnected);
  await pass(RECONNECT_SPREAD_MS / 2 - 1);
  assert.equal(opened.loads, 1);
  await pass(1);
  assert.equal(opened.loads, 2);
  await pass(RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 2);
});

test("a page that was put away during an interruption loads when it is shown", async (context) => {
  useFakeTimers(context);
  const opened = open();
  await opened.paint();
  opened.page.pause();
  opened.connection.setConnected(false);
  opened.connection.setConnected(true);
  await pass(RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 1);
  opened.page.resume();
  await pass(RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 2);
});

test("a page that is put away before its first frame loads when it is shown again", async () => {
  const opened = open();
  opened.page.pause();
  await opened.paint();
  assert.equal(opened.loads, 0);
  opened.page.resume();
  await opened.paint();
  assert.equal(opened.loads, 1);
});

test("what has failed is loaded once more, and after the next change", async (context) => {
  useFakeTimers(context);
  const opened = open({ succeeds: false });
  await opened.paint();
  await pass(RECONNECT_SPREAD_MS - 1);
  assert.equal(opened.loads, 1);
  await pass(RECONNECT_SPREAD_MS + 1);
  assert.equal(opened.loads, 2);
  await pass(5 * RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 2);
  opened.succeeds = true;
  opened.page.pause();
  opened.page.resume();
  await opened.paint();
  assert.equal(opened.loads, 3);
});

test("an interruption after a failure does not load twice", async (context) => {
  useFakeTimers(context);
  const opened = open({ succeeds: false });
  await opened.paint();
  opened.succeeds = true;
  for (const isConnected of [false, true]) opened.connection.setConnected(isConnected);
  await pass(5 * RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 2);
});

test("what fails after the end of the page is not loaded again", async (context) => {
  useFakeTimers(context);
  const opened = open({ succeeds: false });
  const painted = opened.paint();
  opened.controller.abort();
  await painted;
  await pass(5 * RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 1);
});

test("a page that has ended loads nothing", async (context) => {
  useFakeTimers(context);
  const opened = open();
  await opened.paint();
  opened.connection.setConnected(false);
  opened.connection.setConnected(true);
  opened.controller.abort();
  await pass(RECONNECT_SPREAD_MS);
  assert.equal(opened.loads, 1);
});
