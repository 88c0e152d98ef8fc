// @ts-check
// What an app says of its place when the gateway no longer has what was missed. Run by test_client.py.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { LiveClient } from "../../../../api/web/static/client.js";
import { Socket, sockets } from "./scripted.mjs";

const turn = () => new Promise((resolve) => setImmediate(resolve));
const event = (offset) => ({ id: `e${offset}`, type: "t", created_at: "2026-01-01T00:00:00Z", actor: null, data: {} });
const live = (offset) => ({ type: "event", channel: "community", offset, event: event(offset) });
const joined = (epoch, offset, recovered) => ({ type: "subscribed", channel: "community", epoch, offset, recovered, events: [] });

beforeEach(() => {
  sockets.length = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 0.5);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

async function welcomed() {
  await turn();
  const socket = sockets[sockets.length - 1];
  socket.opens();
  socket.says({ type: "welcome", session: "s", user: null, heartbeat_s: 30, ttl_s: 120, degraded: false });
  await turn();
  return socket;
}

test("an app that brings its own state is asked for it first, and again where its place is too old", async () => {
  const places = [{ epoch: "E", offset: 10 }, new Error("away"), { epoch: "F", offset: 3 }];
  const told = { lost: [], events: [], joined: 0 };
  const client = new LiveClient("ws://x/ws", { WebSocket: Socket });
  client.subscribe("community", {
    state: async (lost) => {
      told.lost.push(lost);
      const place = places.shift();
      if (place instanceof Error) throw place;
      return place;
    },
    event: (_, offset) => told.events.push(offset),
    joined: () => (told.joined += 1),
  });
  client.start();
  const socket = await welcomed();
  assert.deepEqual(socket.last("subscribe").since, { epoch: "E", offset: 10 });
  socket.answers("subscribe", joined("E", 10, true));
  socket.says(live(11));
  socket.says({ type: "gap", channel: "community" });
  mock.timers.tick(250);
  await turn();
  socket.answers("subscribe", joined("F", 20, false));
  socket.says(live(12)); // of the new numbering, and not what follows 11
  mock.timers.tick(500);
  await turn();
  assert.deepEqual(told.lost, [null, { epoch: "E", offset: 11 }]);
  mock.timers.tick(1_000); // it could not be loaded
  await turn();
  assert.deepEqual(socket.last("subscribe").since, { epoch: "F", offset: 3 });
  socket.answers("subscribe", joined("F", 20, true));
  socket.says(live(4));
  assert.deepEqual(told, { lost: [null, { epoch: "E", offset: 11 }, { epoch: "E", offset: 11 }], events: [11, 4], joined: 2 });
});

test("a state that comes too late for its connection is asked for again by the next one", async () => {
  let answer;
  let asked = 0;
  const client = new LiveClient("ws://x/ws", { WebSocket: Socket });
  const state = () => new Promise((resolve) => ((asked += 1), (answer = resolve)));
  client.subscribe("community", { state });
  client.start();
  const first = await welcomed();
  first.ends(1011);
  answer({ epoch: "E", offset: 1 });
  await turn();
  assert.equal(first.last("subscribe"), undefined);
  mock.timers.tick(500);
  const second = await welcomed();
  assert.equal(asked, 2);
  answer({ epoch: "E", offset: 2 });
  await turn();
  assert.deepEqual(second.last("subscribe").since, { epoch: "E", offset: 2 });
});

test("an address that has to be found is asked for before each connection, and waited for", async () => {
  const found = [new Error("away"), "ws://a/ws", "ws://b/ws"];
  const client = new LiveClient(
    async () => {
      const one = found.shift();
      if (typeof one !== "string") throw one;
      return one;
    },
    { WebSocket: Socket },
  );
  client.start();
  await turn();
  assert.equal(client.state, "waiting");
  mock.timers.tick(500);
  (await welcomed()).ends(1011);
  mock.timers.tick(1_000);
  await welcomed();
  assert.deepEqual(sockets.map(({ url }) => url), ["ws://a/ws", "ws://b/ws"]);
});
