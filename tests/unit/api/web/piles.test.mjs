// @ts-check
// Which events of a feed make one row. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { KINDS, PILE_KEPT, Piles, isOne, pileOf } from "../../../../api/web/static/piles.js";

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

test("a pile counts all, and keeps no more of them than anybody reads", () => {
  const piles = new Piles(10);
  for (let one = 0; one < 3 * PILE_KEPT; one += 1) piles.add(event(one, one / 100));
  assert.deepEqual([piles.rows, piles.all[0].count, piles.all[0].events.length], [1, 3 * PILE_KEPT, PILE_KEPT]);
  assert.equal(piles.all[0].events[0].id, String(3 * PILE_KEPT - 1));
  piles.addOlder(past("before", -1));
  assert.deepEqual(ids(piles).slice(1), ["before"]); // what is read of the past pours no more
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

test("whatever comes in whatever order at either end, it keeps all in order, and no more rows than it may", () => {
  let seed = 7;
  const chance = (below) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below;
  const types = ["workout_completed", "level_up", "high_five", "followed", "moon_landing"];
  for (let run = 0; run < 60; run += 1) {
    const most = 1 + chance(12);
    const piles = new Piles(most);
    let [known, newest, oldest] = [[], 0, 0];
    for (let step = 0; step < 60; step += 1) {
      const newer = chance(3) > 0;
      const at = newer ? (newest += chance(4)) : (oldest -= chance(4));
      const one = event(step, at, types[chance(types.length)], chance(2) ? { id: "ada", name: "Ada" } : null);
      known = newer ? [one, ...known] : [...known, one];
      if (newer) piles.add(one);
      else piles.addOlder(one);
      const held = piles.all.flatMap(({ events }) => events);
      const from = known.indexOf(held[0]);
      assert.deepEqual(held, known.slice(from, from + held.length));
      assert.equal(newer ? from : from + held.length, newer ? 0 : known.length);
      const rows = piles.all.map((pile) => (isOne(pile) ? 1 : pile.events.length));
      assert.equal(piles.rows, rows.reduce((sum, number) => sum + number, 0));
      assert.ok(piles.rows <= most && rows.every((number) => number > 0));
      known = held;
    }
  }
});
