// @ts-check
// The map's arithmetic: what is where, what is in view, what it says. Run by test_client.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { areaWords, busiest } from "../../../../api/web/static/areas.js";
import { distanceKm, nameOf } from "../../../../api/web/static/cities.js";
import { cellAt, hexagonOf, inView, placesOf } from "../../../../api/web/static/hexagons.js";
import { STEPS, stepOf } from "../../../../api/web/static/legend.js";
import { Projection } from "../../../../api/web/static/projection.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../../api/web/static/${name}`, import.meta.url), "utf8"));
const { cities } = read("cities.json");
const SIZES = [[1400, 900], [390, 420], [320, 300], [1900, 400], [300, 900]];

function viewOf(width, height) {
  const view = new Projection();
  view.resize(width, height);
  return view;
}

test("shows all land at first, whatever its size, and the whole world is asked for", () => {
  for (const [width, height] of SIZES) {
    const view = viewOf(width, height);
    for (const [lat, lng] of [[71, -156], [-55.9, -67.3], [-46.6, 168.3], [66, -170], [77.7, 104], [-34.8, 18.4]]) {
      const [x, y] = view.toPixel(lat, lng);
      assert.ok(x >= -0.5 && y >= 0 && x <= width + 0.5 && y <= height, `${lat} ${lng} in ${width} × ${height}`);
    }
    const { west, east, south, north, zoom } = view.viewport();
    assert.deepEqual([west, east], [-180, 180]);
    assert.ok(south < -55 && north > 77 && zoom >= 0);
  }
});

test("a place under a hand stays under it, and pixels and degrees are each other's inverse", () => {
  const view = viewOf(900, 600);
  view.centre(-17, 179.6, 5);
  for (const [x, y, by] of [[10, 20, 1], [880, 590, 0.3], [450, 300, -2], [200, 30, 4]]) {
    const before = view.toPlace(x, y);
    view.zoomAt(x, y, by);
    const after = view.toPlace(x, y);
    assert.ok(Math.abs(before.lat - after.lat) < 1e-6 && Math.abs(before.lng - after.lng) < 1e-6);
    const [backX, backY] = view.toPixel(after.lat, after.lng);
    assert.ok(Math.abs(backX - x) < 1e-6 && Math.abs(backY - y) < 1e-6);
  }
});

test("the view crosses the antimeridian, and what is beyond it is seen once", () => {
  const view = viewOf(900, 600);
  view.centre(-17, 179.6, 5);
  const { west, east } = view.viewport();
  assert.ok(west > 0 && east < 0);
  const cell = "839b43fffffffff";
  const hexagon = hexagonOf(cell);
  assert.ok(hexagon.radius < 0.01, "one piece");
  assert.equal(placesOf(hexagon, view).length, 1);
  const cells = new Map([[cell, 5], ["831f18fffffffff", 5]]);
  assert.deepEqual(inView(cells, view), [[cell, 5]]);
  const [[x, y]] = placesOf(hexagon, view);
  assert.equal(cellAt(cells, view, x + 3, y - 3), cell);
  assert.equal(cellAt(cells, view, x + 300, y), null);
});

test("a world that is smaller than the map is there again beside itself", () => {
  const view = viewOf(1900, 400);
  const hexagon = hexagonOf("82194ffffffffff");
  const places = placesOf(hexagon, view);
  assert.ok(places.length >= 3);
  assert.ok(Math.abs(places[1][0] - places[0][0] - view.world) < 1e-6);
  assert.equal(inView(new Map([["82194ffffffffff", 5]]), view).length, 1);
});

test("land keeps within its world, so that a lake is where its country is", () => {
  for (const name of ["land-110m.json", "land-50m.json"]) {
    const { perDegree, rings } = read(name);
    for (const steps of rings) {
      let [lng, least, most] = [0, Infinity, -Infinity];
      for (let at = 0; at < steps.length; at += 2) {
        lng += steps[at];
        [least, most] = [Math.min(least, lng), Math.max(most, lng)];
      }
      assert.ok(Math.abs((least + most) / 2) <= 180 * perDegree, name);
      assert.ok(most - least <= 360 * perDegree, name);
    }
  }
});

test("says areas by the nearest city, the busiest first, as what they are at least", () => {
  assert.ok(cities.length >= 200);
  assert.equal(nameOf(52.5, 13.4, cities), "Berlin");
  assert.equal(nameOf(53.3, 13.6, cities), "near Berlin");
  assert.match(nameOf(-45, -110, cities) ?? "", /^\d+0 km from \w/);
  assert.equal(nameOf(0, 0, []), null);
  assert.ok(Math.abs(distanceKm(0, 179, 0, -179) - 222.4) < 1);
  assert.equal(areaWords(50, "Berlin"), "At least 50 people in Berlin");
  assert.equal(areaWords(50, "near Berlin"), "At least 50 people near Berlin");
  assert.deepEqual(busiest([["b", 5], ["c", 20], ["a", 5]]), [["c", 20], ["a", 5], ["b", 5]]);
  assert.deepEqual(STEPS.map((least) => stepOf(least)), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([stepOf(2), stepOf(19), stepOf(5_000)], [0, 1, 5]);
});
