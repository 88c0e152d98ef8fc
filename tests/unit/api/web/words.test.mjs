// @ts-check
// How events are said: each type, and both versions of a workout. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import { lookOf } from "../../../../api/web/static/looks.js";
import { ago, describe, describePile, ofTypes } from "../../../../api/web/static/words.js";

const workout = (data, actor = null) => describe({ type: "workout_completed", actor, data });

test("says what the community is told of a workout", () => {
  const data = { v: 2, focus: { slug: "legs", name: "Legs" }, exercise_count: 3, total_tu: 2_500 };
  assert.deepEqual(workout(data), {
    title: "Legs workout",
    detail: "3 or more exercises · over 2,500 training units",
  });
  assert.equal(workout({ ...data, exercise_count: 1, total_tu: 0 }).detail, "one or two exercises");
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

const said = (type, data, actor = { id: "u-bea", name: "Bea" }) => {
  const { title, detail } = describe({ type, actor, data });
  return [title, detail];
};

test("says what somebody has reached", () => {
  assert.deepEqual(said("level_up", { v: 1, level: 4 }), ["Bea reached a new level", "Level 4"]);
  const milestone = (data) => said("milestone_achieved", { v: 1, ...data })[1];
  assert.equal(milestone({ kind: "workouts", value: 1 }), "1 workout");
  assert.equal(milestone({ kind: "streak", value: 30 }), "30 days in a row");
  assert.equal(milestone({ kind: "record", value: 82.5, exercise: "back-squat" }), "Record: back squat, 82.5 kg");
  assert.equal(milestone({ kind: "record", value: 82.5 }), "Record: 82.5 kg");
  assert.equal(said("milestone_achieved", { kind: "record", value: 82.5 })[0], "Bea set a record");
  const challenge = { challenge: { slug: "pull-week", name: "Pull week" }, reward_xp: 50 };
  assert.deepEqual(said("challenge_completed", challenge), ["Bea completed a challenge", "Pull week · 50 XP"]);
});

test("says what happened to whoever reads it", () => {
  assert.deepEqual(said("high_five", { event_type: "level_up" }), ["Bea gave you a high five", "For a new level"]);
  assert.deepEqual(said("high_five", { event_type: "toString" }, null), ["Somebody gave you a high five", ""]);
  assert.deepEqual(said("follow_requested", {}), ["Bea asks to follow you", ""]);
  assert.deepEqual(said("followed", {}), ["Bea follows you", ""]);
  assert.deepEqual(said("credits_granted", { credits: 50, reason: "grant" }), ["You were given credits", "50 credits"]);
});

test("says something of a type and of data that nobody foresaw", () => {
  assert.deepEqual(said("moon_landing", null), ["moon landing", "Bea"]);
  const types = ["level_up", "milestone_achieved", "challenge_completed", "high_five", "followed", "credits_granted"];
  for (const type of types) {
    for (const data of [null, {}, { level: null, kind: "record", value: "x", challenge: null, credits: null }]) {
      assert.ok(said(type, data)[0]);
    }
  }
});

test("says how old something is, ever more coarsely and never younger", () => {
  const now = Date.parse("2026-11-28T12:00:00Z");
  const aged = (seconds) => ago(new Date(now - seconds * 1_000).toISOString(), now);
  const ages = [-90, 59, 60, 3_599, 3_600, 86_399, 86_400, 604_800, 2_592_000, 31_536_000].map(aged);
  assert.deepEqual(ages, [
    ...["just now", "just now", "1 min. ago", "59 min. ago", "1 hr. ago", "23 hr. ago", "yesterday"],
    ...["last wk.", "last mo.", "last yr."],
  ]);
});

test("says of a pile who and how many", () => {
  const when = { id: "e", created_at: "2026-11-28T12:00:00Z" };
  const pile = (kind, events) => ({ kind, key: "", events, count: events.length });
  const of = (name) => ({ ...when, type: "high_five", actor: { id: name, name }, data: { event_type: "level_up" } });
  const said = (...names) => describePile(pile("high_fives", names.map(of))).title;
  assert.equal(said("Ada", "Bea"), "Ada and Bea gave you 2 high fives");
  assert.equal(said("Ada", "Bea", "Cleo"), "Ada, Bea and 1 other gave you 3 high fives");
  assert.equal(said("Ada", "Ada", "Ada"), "Ada gave you 3 high fives");
  const legs = { ...when, type: "workout_completed", actor: null, data: { v: 2, focus: { name: "Legs" } } };
  const back = { ...legs, data: { v: 2, focus: { name: "Back" } } };
  const events = [back, legs, legs, { ...legs, data: null }];
  const workouts = describePile(pile("workouts", events));
  assert.deepEqual(workouts, { title: "4 workouts", detail: "Legs 2, Back 1, Other 1" });
  const counts = { level_up: 1, workout_completed: 1_200, app_thing: 2 };
  assert.equal(ofTypes(counts), "1,200 workouts, 2 app things, 1 level");
});

test("each kind of event has a look of its own, and so has what nobody foresaw", () => {
  const look = (type, data) => Object.values(lookOf({ type, data })).join(" ");
  const kinds = ["workouts", "streak", "record"].map((kind) => look("milestone_achieved", { kind, value: 30 }));
  const types = ["workout_completed", "level_up", "challenge_completed", "high_five", "followed", "credits_granted"];
  const all = [...kinds, ...types.map((type) => look(type, { level: 4, reward_xp: 50, credits: 100 }))];
  assert.equal(new Set(all).size, all.length);
  assert.equal(look("level_up", { level: 4 }), "level grape 4");
  for (const type of ["toString", "moon_landing"]) assert.equal(look(type, null), "workout soft");
});
