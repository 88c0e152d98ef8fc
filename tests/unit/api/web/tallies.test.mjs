// @ts-check
// How often the page asks for high fives. Run by test_client.py.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Tallies, tallyMs } from "../../../../api/web/static/tallies.js";

const HOUR_MS = 3_600_000;
const page = Object.assign(new EventTarget(), { hidden: false });
let now = 0;

/** A feed with one event on screen, and an API that says how many high fives it has. */
class Feed extends EventTarget {
  isConnected = true;
  seen = [{ id: "one", highFives: 0, countedAt: 0 }];
  after = "before";
  asked = 0;
  answer = async () => ({ feed: { edges: [{ node: { id: "one", cursor: "c", highFives: 0 } }] } });

  get onScreen() {
    return { seen: this.seen, after: this.after, sent: 0 };
  }

  recount(tallies) {
    const moved = tallies.length > 0 && tallies[0].highFives !== this.seen[0].highFives;
    if (moved) this.seen[0].highFives = tallies[0].highFives;
    for (const one of this.seen) if (tallies.some(({ id }) => id === one.id)) one.countedAt = performance.now();
    return moved;
  }

  applauded() {
    this.dispatchEvent(new CustomEvent("row", { detail: { type: "high_five" } }));
  }
}

function watched() {
  const feed = new Feed();
  const session = { graphql: (_query, { after, id }) => (assert.deepEqual([after, id], [feed.after, 7]), (feed.asked += 1), feed.answer()) };
  new Tallies(/** @type {never} */ (feed), /** @type {never} */ (session), /** @type {never} */ ("query"), { id: 7 });
  return feed;
}

async function pass(ms) {
  for (const end = now + ms; now < end; ) {
    now += 500;
    mock.timers.tick(500);
    for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
  }
}

beforeEach(() => {
  now = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(performance, "now", () => now);
  globalThis.document = /** @type {never} */ (page);
  page.hidden = false;
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

test("pages do not ask together, and more rarely where nothing moves", () => {
  assert.deepEqual([tallyMs(0, 0), tallyMs(0, 1)], [45_000, 75_000]);
  assert.deepEqual([tallyMs(1, 0.5), tallyMs(3, 0.5), tallyMs(99, 0.5)], [120_000, 480_000, 480_000]);
});

test("what does not move is asked for ever more rarely, and so is an API that does not answer", async () => {
  const [still, away] = [watched(), watched()];
  away.answer = () => Promise.reject(new Error("RATE_LIMITED"));
  await pass(HOUR_MS);
  for (const { asked } of [still, away]) assert.ok(asked >= 6 && asked <= 14, `${asked} in an hour`);
});

test("what moves is asked for once a minute", async () => {
  const feed = watched();
  feed.answer = async () => ({ feed: { edges: [{ node: { id: "one", cursor: "c", highFives: feed.asked } }] } });
  await pass(HOUR_MS);
  assert.ok(feed.asked >= 48 && feed.asked <= 80, `${feed.asked} in an hour`);
});

test("nobody asks while nobody looks, or nothing is on screen, or the feed is gone", async () => {
  const [hidden, gone] = [watched(), watched()];
  page.hidden = true;
  await pass(HOUR_MS);
  page.hidden = false;
  hidden.seen = [];
  gone.isConnected = false;
  page.dispatchEvent(new Event("visibilitychange"));
  await pass(HOUR_MS);
  assert.deepEqual([hidden.asked, gone.asked], [0, 0]);
  hidden.seen = [{ id: "one", highFives: 0, countedAt: 0 }];
  page.dispatchEvent(new Event("visibilitychange"));
  await pass(5_000);
  assert.equal(hidden.asked, 1);
});

test("an owner who is applauded sees it within seconds, and asks no more often for a thousand", async () => {
  const feed = watched();
  feed.applauded();
  await pass(4_000);
  assert.equal(feed.asked, 1);
  for (let one = 0; one < 1_000; one += 1) {
    feed.applauded();
    await pass(500);
  }
  assert.ok(feed.asked <= 52, `${feed.asked} in 504 s`);
});

test("what is scrolled to is told within seconds, once a minute, however much somebody scrolls", async () => {
  const feed = watched();
  feed.seen = [{ id: "two", highFives: 0, countedAt: now - 20_000 }];
  feed.dispatchEvent(new Event("scrolled"));
  await pass(5_000);
  assert.equal(feed.asked, 0); // its page was read just now
  feed.seen = [{ id: "three", highFives: 0, countedAt: now - 90_000 }];
  feed.answer = async () => ({ feed: { edges: [{ node: { id: "three", cursor: "c", highFives: 4 } }] } });
  for (let one = 0; one < 50; one += 1) {
    feed.dispatchEvent(new Event("scrolled"));
    await pass(500);
  }
  assert.deepEqual([feed.asked, feed.seen[0].highFives], [1, 4]);
});

test("below many events that no page has told of, each answer leads nearer to what is on screen", async () => {
  const feed = watched();
  feed.seen = [{ id: "deep", highFives: 0, countedAt: -90_000 }];
  const pages = { before: "40", 40: "80", 80: "deep" };
  feed.answer = async () => {
    const id = pages[feed.after];
    if (id !== "deep") feed.after = id;
    return { feed: { edges: [{ node: { id, cursor: id, highFives: 0 } }] } };
  };
  feed.dispatchEvent(new Event("scrolled"));
  await pass(40_000);
  assert.deepEqual([feed.asked, feed.after], [3, "80"]);
  feed.seen = [{ id: "gone", highFives: 0, countedAt: -90_000 }];
  feed.dispatchEvent(new Event("scrolled"));
  await pass(40_000);
  assert.ok(feed.asked <= 4, `${feed.asked} for one that is gone`);
});

test("a slow API is not asked again before it has answered", async () => {
  const feed = watched();
  feed.answer = () => new Promise(() => {});
  for (let one = 0; one < 100; one += 1) {
    feed.applauded();
    await pass(5_000);
  }
  assert.equal(feed.asked, 1);
});
