// @ts-check
// How events are said: both versions of a workout. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { describe } from "../../../../api/web/static/words.js";

const workout = (data, actor = null) => describe({ type: "workout_completed", actor, data });

test("says what the community is told of a workout", () => {
  const data = { v: 2, focus: { slug: "legs", name: "Legs" }, exercise_count: 3, total_tu: 2_500 };
  assert.deepEqual(workout(data), {
    icon: "workout",
    title: "Workout finished",
    detail: "Legs · 3 or more exercises · over 2,500 training units",
  });
  assert.equal(workout({ ...data, exercise_count: 1, total_tu: 0 }).detail, "Legs · one or two exercises");
});

test("says what followers are told, and what earlier versions told everybody", () => {
  const data = { total_tu: 7_300.4, exercises: [{ name: "Squat" }, { slug: "row" }, { name: "Plank" }] };
  assert.equal(workout(data, { name: "Ada" }).title, "Ada finished a workout");
  assert.equal(workout(data).detail, "7,300 training units · Squat, row and 1 more");
});

test("says something of anything", () => {
  for (const data of [{}, { v: 2 }, { v: 2, focus: null, exercise_count: "x", total_tu: null }, { v: 3 }]) {
    assert.equal(workout(data).detail, "");
  }
});
