// @ts-check
// The embeddable client against a socket that says what the test tells it to. Run by test_client.py.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { backoffMs } from "../../../../api/web/static/backoff.js";
import { LiveClient, mayReturn } from "../../../../api/web/static/client.js";
import { Socket, sockets } from "./scripted.mjs";

const event = (n) => ({ id: `e${n}`, type: "workout_completed", created_at: "2026-01-01T00:00:00Z", actor: null, data: {} });
const live = (offset) => ({ type: "event", channel: "community", offset, event: event(offset) });
const joined = (offset, events = [], recovered = null) => ({
  type: "subscribed",
  channel: "community",
  epoch: "E",
  offset,
  recovered,
  events: events.map((n) => ({ offset: n, event: event(n) })),
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  sockets.length = 0;
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  mock.method(Math, "random", () => 0.5);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

async function welcomed(client, welcome = {}) {
  await turn();
  const socket = sockets.at(-1);
  socket.opens();
  socket.says({ type: "welcome", session: "s", user: null, heartbeat_s: 30, ttl_s: 120, degraded: false, ...welcome });
  await turn();
  return socket;
}

async function following(since = { epoch: "E", offset: 10 }) {
  const told = { events: [], lost: [], digests: [], refused: [] };
  const client = new LiveClient("ws://x/ws", { WebSocket: Socket });
  const subscription = client.subscribe("community", {
    since,
    event: (_, offset) => told.events.push(offset),
    lost: (position) => told.lost.push(position),
    digest: (digest) => told.digests.push(digest.to),
    refused: (code) => told.refused.push(code),
  });
  client.start();
  const socket = await welcomed(client);
  return { client, subscription, socket, told };
}

test("speaks the protocol's first words", async () => {
  const { socket } = await following();
  assert.deepEqual(socket.protocols, ["musclemap.v1"]);
  assert.deepEqual(socket.sent[0], { type: "connect" });
  assert.deepEqual(socket.last("subscribe").since, { epoch: "E", offset: 10 });
  assert.equal(socket.last("heartbeat").type, "heartbeat");
});

test("hands on what was missed and then what is live, each once", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", joined(12, [11, 12], true));
  for (const offset of [12, 13, 13, 11, 14]) socket.says(live(offset));
  assert.deepEqual(told.events, [11, 12, 13, 14]);
  mock.timers.tick(1_000);
  await turn();
  assert.equal(socket.sent.filter((message) => message.type === "subscribe").length, 1);
});

test("hands on the rest of what was missed, which follows a part of it as events", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", joined(12, [11, 12], true));
  for (const offset of [13, 14, 15]) socket.says(live(offset));
  socket.says({ type: "gap", channel: "community" });
  mock.timers.tick(1_000);
  await turn();
  assert.deepEqual(socket.last("subscribe").since, { epoch: "E", offset: 15 });
  socket.answers("subscribe", joined(15, [], true));
  socket.says(live(16));
  assert.deepEqual(told.events, [11, 12, 13, 14, 15, 16]);
});

test("asks again from its position where an offset is missing", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", joined(10, [], true));
  socket.says(live(11));
  socket.says(live(13));
  assert.deepEqual(told.events, [11]);
  mock.timers.tick(1_000);
  await turn();
  assert.deepEqual(socket.last("subscribe").since, { epoch: "E", offset: 11 });
  socket.answers("subscribe", joined(13, [12, 13], true));
  assert.deepEqual(told.events, [11, 12, 13]);
});

test("asks again after a gap", async () => {
  const { socket } = await following();
  socket.answers("subscribe", joined(10, [], true));
  socket.says({ type: "gap", channel: "community" });
  mock.timers.tick(1_000);
  await turn();
  assert.equal(socket.sent.filter((message) => message.type === "subscribe").length, 2);
});

test("a digest moves the position", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", joined(10, [], true));
  socket.says({ type: "digest", channel: "community", from: 11, to: 30, counts: {}, events: [] });
  socket.says(live(31));
  assert.deepEqual([told.digests, told.events], [[30], [31]]);
});

test("says what is lost and goes on from there", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", joined(900, [], false));
  socket.says(live(901));
  assert.deepEqual(told.lost, [{ epoch: "E", offset: 900 }]);
  assert.deepEqual(told.events, [901]);
});

test("tries again while the gateway cannot serve the channel, and gives up where it may not", async () => {
  const { socket, told } = await following();
  socket.answers("subscribe", { type: "error", code: "UNAVAILABLE", message: "" });
  mock.timers.tick(1_000);
  await turn();
  socket.answers("subscribe", { type: "error", code: "FORBIDDEN", message: "" });
  mock.timers.tick(60_000);
  await turn();
  assert.deepEqual(told.refused, ["FORBIDDEN"]);
  assert.equal(socket.sent.filter((message) => message.type === "subscribe").length, 2);
});

test("comes back with its place, its ticket and nothing twice", async () => {
  const { client, socket, told } = await following();
  socket.answers("subscribe", joined(10, [], true));
  socket.says(live(11));
  socket.ends(1006);
  assert.equal(client.state, "waiting");
  mock.timers.tick(500);
  const second = await welcomed(client, { resume: "ticket" });
  assert.deepEqual(second.last("subscribe").since, { epoch: "E", offset: 11 });
  second.answers("subscribe", joined(12, [12], true));
  second.ends(1012); // soon after it was welcomed: the second way back takes longer
  mock.timers.tick(1_000);
  const third = await welcomed(client);
  assert.equal(third.sent[0].resume, "ticket");
  assert.deepEqual(told.events, [11, 12]);
});

test("waits as long as the gateway asked for", async () => {
  const { client, socket } = await following();
  socket.says({ type: "reconnect", after_ms: 7_000, reason: "restart" });
  socket.ends(1012);
  mock.timers.tick(6_999);
  await turn();
  assert.equal(sockets.length, 1);
  mock.timers.tick(1);
  await turn();
  assert.equal(sockets.length, 2);
  assert.equal(client.state, "connecting");
});

test("asks for a new token after 4001 and never for one after 4500", async () => {
  const asked = [];
  const token = async (expired) => (asked.push(expired), "t");
  const client = new LiveClient("ws://x/ws", { token, WebSocket: Socket });
  client.start();
  const first = await welcomed(client, { resume: "old" });
  first.ends(4001);
  mock.timers.tick(1_000);
  const second = await welcomed(client);
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual(second.sent[0], { type: "connect", token: "t" });
  second.ends(4500);
  mock.timers.tick(3_600_000);
  await turn();
  assert.equal(client.state, "stopped");
  assert.equal(sockets.length, 2);
});

test("notices a network that is gone without a word", async () => {
  const { client, socket } = await following();
  mock.timers.tick(10_000);
  assert.equal(socket.closedWith, 4000);
  assert.equal(client.state, "waiting");
});

test("heartbeats at the pace that it was given, and sends a place once", async () => {
  const { client, socket } = await following();
  socket.answers("heartbeat", { type: "ack" });
  client.setPresence({ lat: 1, lng: 2, status: "training" });
  mock.timers.tick(250);
  assert.equal(socket.last("heartbeat").lat, 1);
  socket.answers("heartbeat", { type: "ack" });
  socket.says({ type: "pace", heartbeat_s: 120, ttl_s: 300 });
  mock.timers.tick(119_000);
  assert.equal(socket.sent.filter((message) => message.type === "heartbeat").length, 2);
  mock.timers.tick(1_000);
  const { lat, status } = socket.last("heartbeat");
  assert.deepEqual([lat, status], [undefined, "training"]);
});

test("keeps the map whole and waits where a version is missing", async () => {
  const { client, socket } = await following();
  const maps = [];
  client.addEventListener("map", (/** @type {CustomEvent} */ { detail }) => maps.push(Object.fromEntries(detail.cells)));
  const map = (version, whole, cells) => {
    socket.says({ type: "map", tile: "t", version, whole, resolution: 2, cells });
    mock.timers.tick(0);
  };
  client.setViewport({ west: 0, south: 0, east: 1, north: 1, zoom: 2 });
  mock.timers.tick(250);
  socket.answers("viewport", { type: "viewport", resolution: 2, tiles: ["t"] });
  map(4, true, [["a", 5]]);
  map(5, false, [["a", 0], ["b", 10]]);
  map(7, false, [["b", 20]]);
  map(8, false, [["b", 50]]);
  map(9, true, [["c", 5]]);
  assert.deepEqual(maps, [{ a: 5 }, { b: 10 }, { c: 5 }]);
});

test("close codes: which ones let a client come back", () => {
  for (const code of [1001, 1006, 1011, 1012, 1013, 4001, 4002, 4008, 4009, 4499]) assert.ok(mayReturn(code), String(code));
  for (const code of [1000, 1002, 1003, 1007, 1009, 4500, 4501, 4503, 4505, 4999]) assert.ok(!mayReturn(code), String(code));
});

test("backoff: full jitter, base 1 s, cap 30 s", () => {
  assert.equal(backoffMs(0, 0), 0);
  assert.deepEqual([0, 1, 2, 4, 5, 1_000].map((attempt) => backoffMs(attempt, 1)), [1_000, 2_000, 4_000, 16_000, 30_000, 30_000]);
});

// --- every way back has its pause; none of them reads the device's clock

const HOUR_MS = 3_600_000;

/** Lets `ms` pass in steps, so that what answers has its turns, and says what `each` step finds. */
async function pass(ms, stepMs, each) {
  for (let at = 0; at < ms; at += stepMs) {
    mock.timers.tick(stepMs);
    await turn();
    await each(at);
  }
}

test("a hundred odd clocks ask no more than a right one does", async () => {
  const odd = Array.from({ length: 100 }, (_, n) => (n - 50) * ((n * 7_919) % 13) * 0.9 * HOUR_MS);
  for (const shift of odd) {
    sockets.length = 0;
    mock.timers.reset();
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: Math.max(0, 1_800_000_000_000 + shift) });
    let asked = 0;
    const client = new LiveClient("ws://x/ws", { token: async () => `t${(asked += 1)}`, WebSocket: Socket });
    client.start();
    const life = { expires_at: new Date(1_800_000_000_000 + 12 * HOUR_MS).toISOString(), expires_in_s: 12 * 3_600 };
    const socket = await welcomed(client, life);
    let answered = 0;
    await pass(30_000, 250, () => {
      for (const message of socket.sent.slice(answered)) {
        if (message.type === "heartbeat") socket.says({ type: "ack", id: message.id });
        if (message.type === "refresh") socket.says({ type: "refreshed", ...life });
      }
      answered = socket.sent.length;
    });
    assert.ok(asked <= 2 && sockets.length === 1, `clock off by ${shift / HOUR_MS} h: ${asked} tokens, ${sockets.length} sockets`);
    client.stop();
  }
});

test("a token that is refused for ever is tried ever more rarely, whoever starts again", async () => {
  const client = new LiveClient("ws://x/ws", { token: async () => "t", WebSocket: Socket });
  client.addEventListener("state", (/** @type {CustomEvent} */ { detail }) => detail.code === 4500 && client.start());
  client.start();
  await pass(60_000, 100, () => {
    const socket = sockets.at(-1);
    if (socket?.readyState === 0) socket.opens(), socket.ends(4500);
    client.hurry(); // the page is looked at again and again
  });
  assert.ok(sockets.length >= 3 && sockets.length <= 8, `${sockets.length} sockets in a minute`);
});

test("a gateway that welcomes and then closes is tried ever more rarely", async () => {
  const client = new LiveClient("ws://x/ws", { WebSocket: Socket });
  client.start();
  await pass(60_000, 100, async () => {
    const socket = sockets.at(-1);
    if (socket?.readyState === 0) (await welcomed(client)).ends(1011);
  });
  assert.ok(sockets.length >= 3 && sockets.length <= 8, `${sockets.length} sockets in a minute`);
});

test("a channel token that is late at once is asked for ever more rarely", async () => {
  let asked = 0;
  const client = new LiveClient("ws://x/ws", { WebSocket: Socket });
  client.subscribe("profile:p", { token: async () => `c${(asked += 1)}` });
  client.start();
  const socket = await welcomed(client);
  let seen = 0;
  await pass(60_000, 100, () => {
    for (const message of socket.sent.slice(seen)) {
      if (message.type === "heartbeat") socket.says({ type: "ack", id: message.id });
      if (message.type !== "subscribe") continue;
      socket.says({ ...joined(10), channel: "profile:p", id: message.id });
      socket.says({ type: "unsubscribed", channel: "profile:p", reason: "token_expired" });
    }
    seen = socket.sent.length;
  });
  assert.ok(asked >= 3 && asked <= 14, `${asked} channel tokens in a minute`);
});

test("where the network changes an open socket proves itself within 3 s", async () => {
  const { client, socket } = await following();
  socket.answers("heartbeat", { type: "ack" });
  client.hurry();
  client.hurry();
  assert.equal(socket.sent.filter((message) => message.type === "ping").length, 1);
  socket.answers("ping", { type: "pong" });
  mock.timers.tick(3_000);
  assert.equal(client.state, "open");
  client.hurry();
  mock.timers.tick(2_999);
  assert.equal(client.state, "open");
  mock.timers.tick(1);
  assert.equal(socket.closedWith, 4000);
  assert.equal(client.state, "waiting");
  mock.timers.tick(500);
  await turn();
  assert.equal(sockets.length, 2);
  client.hurry(); // it hangs in the old network: not for 15 s
  mock.timers.tick(3_000);
  assert.equal(client.state, "waiting");
});
