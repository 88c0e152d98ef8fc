// @ts-check
// What views compute: levels, weeks of muscles, and what a search for an exercise finds. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { matching } from "../../../../api/web/static/picker.js";
import { climbed, histories, mondayOf, xpOf } from "../../../../api/web/static/views/levels.js";

/** The contract's formula. */
const levelOf = (xp) => 1 + Math.floor((Math.sqrt(1 + xp / 12.5) - 1) / 2);

test("a level begins where the contract's formula reaches it", () => {
  for (let level = 1; level < 300; level += 1) {
    assert.equal(levelOf(xpOf(level)), level);
    if (level > 1) assert.equal(levelOf(xpOf(level) - 1), level - 1);
  }
  assert.deepEqual(climbed(150, 2), { done: 50, all: 200 });
});

test("weeks begin on Monday, also where a clock was put forward", () => {
  const sunday = new Date(2026, 2, 29, 23, 30).getTime();
  assert.equal(mondayOf(sunday, 0).getDate(), 23);
  assert.equal(mondayOf(sunday, 1).getDate(), 16);
  assert.equal(mondayOf(new Date(2026, 2, 30, 0, 0).getTime(), 0).getDate(), 30);
});

test("training units are summed by muscle and week, and what is older is left out", () => {
  const now = new Date(2026, 10, 28, 12).getTime();
  const at = (/** @type {number} */ days) => new Date(now - days * 86_400_000).toISOString();
  const did = (days, ...parts) => ({
    performedAt: at(days),
    muscles: parts.map(([slug, trainingUnits]) => ({ muscle: { slug, name: slug }, trainingUnits })),
  });
  const found = histories(
    [did(0, ["chest", 10], ["lats", 40]), did(1, ["chest", 5]), did(8, ["chest", 7]), did(90, ["abs", 1])],
    now,
    3,
  );
  assert.deepEqual(found, [
    { slug: "lats", name: "lats", units: 40, weeks: [0, 0, 40] },
    { slug: "chest", name: "chest", units: 22, weeks: [0, 7, 15] },
  ]);
});

const CHOICES = [
  ["Barbell back squat", "Barbell"],
  ["Pull-up", "Pull-up bar"],
  ["Seated row", "Cable"],
  ["Back extension", null],
].map(([name, equipment], index) => ({
  id: String(index),
  slug: `s-${index}`,
  name,
  equipment: equipment && { name: equipment },
}));
const names = (typed) => matching(CHOICES, typed).map(({ name }) => name);

test("a search finds words in any order, by their beginnings, in name and equipment", () => {
  assert.deepEqual(names("squat BARB"), ["Barbell back squat"]);
  assert.deepEqual(names("back"), ["Back extension", "Barbell back squat"]);
  assert.deepEqual(names("cable"), ["Seated row"]);
  assert.deepEqual(names("pull up"), ["Pull-up"]);
  assert.deepEqual(names("quat"), []);
  assert.equal(names(" -").length, CHOICES.length);
});
