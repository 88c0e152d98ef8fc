// @ts-check
// Which events of a feed make one row. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, Piles, isOne, pileOf } from "../../../../api/web/static/piles.js";

const BEGAN = Date.parse("2026-11-28T12:00:00Z");

/** An event `at` seconds later than the first, heard as it happened. */
const event = (id, at, type = "workout_completed", actor = null) => {
  const heardAt = BEGAN + at * 1_000;
  return { id: String(id), type, created_at: new Date(heardAt).toISOString(), actor, data: null, heardAt };
};
/** The same of a page: the community is told the minute. */
const past = (id, minute) => ({ ...event(id, 60 * minute), heardAt: undefined });
const ids = (piles) => piles.all.map((pile) => pile.events.map((one) => one.id).join(" "));

test("neighbours that say the same are one pile, newest first", () => {
  const piles = new Piles(100);
  for (const second of [0, 1, 2, 4.5, 5]) piles.add(event(second, second));
  assert.deepEqual(ids(piles), ["5 4.5", "2 1 0"]); // the oldest of a pile is at most 4 s older than its newest
  piles.addOlder(event("before", -1));
  assert.deepEqual(ids(piles), ["5 4.5", "2 1 0 before"]);
  piles.addOlder(event("long before", -50));
  assert.equal(ids(piles)[2], "long before");
  assert.deepEqual(piles.all.map(isOne), [false, false, false]);
});

test("what pours is one, and what is between ends it", () => {
  const bea = { id: "bea", name: "Bea" };
  const piles = new Piles(100);
  for (let one = 0; one < KINDS.workouts.least; one += 1) piles.add(event(one, one / 2));
  piles.add(event("level", 6, "level_up", bea));
  piles.add(event("after", 7));
  assert.deepEqual(piles.all.map(isOne), [false, false, true]);
});

test("what poured in a minute of the past is one as well, and not with what is heard now", () => {
  const piles = new Piles(100);
  for (let one = 0; one < 24; one += 1) piles.addOlder(past(one, one < KINDS.minute.least ? 9 : 8));
  piles.addOlder(past("before", 7));
  piles.add(event("now", 9 * 60));
  assert.deepEqual(piles.all.map(({ events }) => events.length), [1, 10, 14, 1]);
  assert.deepEqual(piles.all.map(isOne), [false, true, true, false]);
});

test("a deed is put to those of the same person, and what is one's own to nothing", () => {
  const [ada, bea] = ["ada", "bea"].map((id) => ({ id, name: id }));
  const key = (type, who) => pileOf(event(1, 0, type, who))?.key;
  assert.equal(key("level_up", ada), key("milestone_achieved", ada));
  assert.notEqual(key("level_up", ada), key("level_up", bea));
  assert.equal(key("high_five", ada), key("high_five", bea));
  for (const alone of ["workout_completed", "follow_requested", "credits_granted", "moon_landing"]) {
    assert.equal(key(alone, ada), undefined);
  }
});

test("whatever comes in whatever order at either end, it keeps all in order, and no more than it may", () => {
  let seed = 7;
  const chance = (below) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  const types = ["workout_completed", "level_up", "high_five", "followed", "moon_landing"];
  for (let run = 0; run < 60; run += 1) {
    const most = 1 + chance(12);
    const piles = new Piles(most);
    let [expected, newest, oldest] = [[], 0, 0];
    for (let step = 0; step < 60; step += 1) {
      const newer = chance(3) > 0;
      const at = newer ? (newest += chance(4)) : (oldest -= chance(4));
      const one = event(step, at, types[chance(types.length)], chance(2) ? { id: "ada", name: "Ada" } : null);
      const { pile } = newer ? piles.add(one) : piles.addOlder(one);
      expected = newer ? [one, ...expected].slice(0, most) : [...expected, one].slice(-most);
      assert.deepEqual(piles.all.flatMap(({ events }) => events), expected);
      assert.equal(piles.events, expected.length);
      assert.ok(pile.events.includes(one));
      assert.ok(piles.all.every(({ events }) => events.length > 0));
    }
  }
});
