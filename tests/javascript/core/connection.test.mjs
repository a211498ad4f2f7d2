import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { Connection, describeError, RequestError } from "../../../static/js/core/connection.js";
import { disableJitter, tick, useFakeTimers } from "../harness.mjs";

class FakeSocket extends EventEmitter {
  isConnected = false;
  /** Whether Socket.IO reconnects by itself. */
  active = true;
  ack = { ok: true };
  connects = 0;

  connect() {
    this.connects += 1;
  }

  disconnect() {
    this.active = false;
    if (this.isConnected) this.receive("disconnect");
  }

  receive(event, ...args) {
    if (event === "connect" || event === "disconnect") this.isConnected = event === "connect";
    this.emit(event, ...args);
  }

  timeout(milliseconds) {
    return {
      emitWithAck: async (event, payload) => {
        this.request = { milliseconds, event, payload };
        if (this.ack instanceof Error) throw this.ack;
        return this.ack;
      },
    };
  }
}

function open({ isConnected = true } = {}) {
  const socket = new FakeSocket();
  const connection = new Connection(socket);
  const states = [];
  connection.watchState((state) => states.push(state));
  if (isConnected) socket.receive("connect");
  return { socket, connection, states };
}

test("a state listener receives the current state and each change once", () => {
  const { socket, connection, states } = open({ isConnected: false });
  assert.ok(!connection.isConnected);
  socket.receive("connect");
  assert.ok(connection.isConnected);
  socket.receive("disconnect");
  socket.receive("connect_error", new Error("websocket error"));
  socket.receive("connect");
  assert.deepEqual(states, ["connecting", "connected", "offline", "connected"]);
});

test("a request returns the acknowledgement", async () => {
  const { socket, connection } = open();
  socket.ack = { ok: true, message: { seq: 1 } };
  const payload = { conversation: "general", seq: 1 };
  assert.deepEqual(await connection.request("delete_message", payload), socket.ack);
  assert.deepEqual(socket.request, { milliseconds: 10_000, event: "delete_message", payload });
});

test("a request without a connection fails at once", async () => {
  const { connection } = open({ isConnected: false });
  await assert.rejects(connection.request("typing", { conversation: "general" }), /not connected/);
});

test("an error of the server is permanent or to be retried", async () => {
  const { socket, connection } = open();
  socket.ack = { ok: false, error: { code: "archived", message: "This room is archived." } };
  const error = await connection.request("typing", {}).catch((caught) => caught);
  assert.ok(error instanceof RequestError);
  assert.ok(error.isPermanent);
  assert.equal(describeError(error), "This room is archived.");

  socket.ack = { ok: false, error: { code: "busy", message: "Busy", retry_after: 2 } };
  const busy = await connection.request("typing", {}).catch((caught) => caught);
  assert.ok(!busy.isPermanent);
  assert.equal(busy.retryAfterMs, 2_000);
});

test("an acknowledgement without an error, or none at all, is to be retried", async () => {
  const { socket, connection } = open();
  socket.ack = undefined;
  const error = await connection.request("typing", {}).catch((caught) => caught);
  assert.equal(error.code, "internal");
  assert.ok(!error.isPermanent);
  socket.ack = new Error("operation has timed out");
  const timeout = await connection.request("typing", {}).catch((caught) => caught);
  assert.ok(!(timeout instanceof RequestError));
  assert.match(describeError(timeout), /did not respond/);
});

test("being signed out is final", async () => {
  for (const signOut of [
    ({ socket }) => socket.receive("signed_out"),
    ({ socket }) => socket.receive("connect_error", new Error("signed_out")),
    async ({ socket, connection }) => {
      socket.ack = { ok: false, error: { code: "signed_out", message: "Sign in again." } };
      await assert.rejects(connection.request("typing", {}));
    },
  ]) {
    const page = open();
    await signOut(page);
    assert.equal(page.connection.state, "signed-out");
    page.socket.receive("disconnect");
    assert.equal(page.connection.state, "signed-out");
    assert.equal(page.socket.active, false);
  }
});

test("a rejected connection is tried again with a back-off", async (t) => {
  useFakeTimers(t);
  disableJitter(t);
  const { socket } = open({ isConnected: false });
  socket.active = false;
  for (const delayMs of [500, 1_000, 2_000, 4_000, 5_000, 5_000]) {
    socket.connects = 0;
    socket.receive("connect_error", new Error("rejected"));
    await tick(delayMs - 1);
    assert.equal(socket.connects, 0);
    await tick(1);
    assert.equal(socket.connects, 1);
  }
  socket.receive("connect");
  socket.connects = 0;
  socket.receive("connect_error", new Error("rejected"));
  await tick(500);
  assert.equal(socket.connects, 1);
});

test("after a network failure Socket.IO reconnects by itself", async (t) => {
  useFakeTimers(t);
  const { socket } = open();
  socket.receive("disconnect");
  await tick(60_000);
  assert.equal(socket.connects, 0);
});

test("when the server restarts, the page reconnects after the delay that it was assigned", async (t) => {
  useFakeTimers(t);
  const { socket, connection, states } = open();
  socket.receive("restarting", { reconnect_after: 3_000 });
  assert.equal(connection.state, "connected");
  socket.receive("disconnect");
  await tick(2_999);
  assert.equal(socket.connects, 0);
  await tick(1);
  assert.equal(socket.connects, 1);
  socket.receive("connect");
  assert.equal(states.at(-1), "connected");
  assert.ok(states.includes("restarting"));
});

test("events reach their listeners", () => {
  const { socket, connection } = open();
  const received = [];
  connection.on("removed_from_chat", (payload) => received.push(payload));
  socket.receive("removed_from_chat", { conversation: "room_1" });
  assert.deepEqual(received, [{ conversation: "room_1" }]);
});

test("a signal removes the listeners", () => {
  const { socket, connection } = open();
  const controller = new AbortController();
  const received = [];
  connection.on("typing", (payload) => received.push(payload), { signal: controller.signal });
  connection.watchState((state) => received.push(state), { signal: controller.signal });
  controller.abort();
  socket.receive("typing", "too late");
  socket.receive("disconnect");
  assert.deepEqual(received, ["connected"]);
});
