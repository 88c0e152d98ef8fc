// @ts-check
// What moves: the rate of workouts, and cells that flash. Run by test_client.py.
import assert from "node:assert/strict";
import { test } from "node:test";

import * as hexagons from "../../../../api/web/static/hexagons.js";
import { Projection } from "../../../../api/web/static/projection.js";
import { POINT_S, Rate } from "../../../../api/web/static/rate.js";

const still = { matches: false };
Object.assign(globalThis, { matchMedia: () => still });
const { MapNews } = await import("../../../../api/web/static/mapnews.js");

const BERLIN = "831f1dfffffffff";
const PARIS = "831fb4fffffffff";

test("a rate counts the last minute, and its line the last minutes", () => {
  const rate = new Rate();
  for (let second = 0; second < 400; second += 1) rate.add(second + 0.5, 2);
  assert.equal(rate.within(399.9, 60), 120);
  assert.deepEqual(rate.line(399), new Array(30).fill(2 * POINT_S));
  assert.deepEqual(rate.line(400).slice(-2), [20, 0]);
  rate.add(404, 7);
  assert.deepEqual(rate.line(404).slice(-3), [20, 20, 7]);
  assert.equal(rate.within(459, 60), 7);
  assert.equal(rate.within(464, 60), 0);
  assert.deepEqual(rate.line(404 + 290).slice(0, 2), [7, 0]);
  assert.deepEqual(rate.line(10_000), new Array(30).fill(0));
});

test("the first seconds of a page have no minute before them", () => {
  const rate = new Rate();
  rate.add(0.2, 3);
  rate.add(1.2, 1);
  assert.deepEqual([rate.within(1.3, 60), rate.line(1.3).at(-1)], [4, 4]);
});

/** What is painted above the map at a time, as words. */
function painted(news, now) {
  const view = new Projection();
  view.resize(900, 600);
  const done = [];
  const context = /** @type {never} */ ({
    beginPath() {},
    lineTo() {},
    closePath() {},
    fill: () => done.push("fill"),
    stroke: () => done.push("ring"),
  });
  const world = /** @type {never} */ ({ hexagons, colours: {} });
  news.paint(context, view, world, { now, looked: null, here: null });
  return done.join(" ");
}

test("a cell whose number rose flashes, for a second", () => {
  const news = new MapNews();
  news.compare(new Map([[BERLIN, 10]]), new Map([[BERLIN, 20]]), false, 0);
  assert.equal(painted(news, 100), "fill ring");
  assert.ok(news.moving);
  assert.equal(painted(news, 1_200), "");
  assert.ok(!news.moving);
});

test("who went, or was there before somebody looked, is no news", () => {
  const news = new MapNews();
  news.compare(new Map([[BERLIN, 20]]), new Map([[BERLIN, 10]]), true, 0);
  news.compare(new Map([[BERLIN, 20]]), new Map([[BERLIN, 20]]), true, 0);
  news.compare(new Map(), new Map([[PARIS, 5]]), false, 0); // the map has been moved there
  assert.equal(painted(news, 0), "");
  news.compare(new Map(), new Map([[PARIS, 5]]), true, 0);
  assert.equal(painted(news, 0), "fill ring");
});

test("nothing flashes for whoever wants no motion", () => {
  still.matches = true;
  const news = new MapNews();
  news.compare(new Map(), new Map([[PARIS, 5]]), true, 0);
  assert.equal(painted(news, 0), "");
  assert.ok(!news.moving);
  still.matches = false;
});
