// @ts-check
/** Cities: their names on the map, and which one an area is near. */
import { worldX, worldY } from "./projection.js";

const FONT = "500 11px system-ui, -apple-system, 'Segoe UI', roboto, sans-serif";
const LINE_PX = 12;
const APART_PX = 14;
const AT_ZOOM_0 = 14; // names, at most; twice as many with each level
const SAME_KM = 60;
const NEAR_KM = 300;
const KM_PER_DEGREE = 111.2;

/**
 * @typedef {[name: string, lat: number, lng: number]} City
 * @typedef {import("./projection.js").Projection} Projection
 */

/**
 * "Berlin", "near Berlin" or "420 km from Perth"; null where no city is known.
 * @param {number} lat
 * @param {number} lng
 * @param {City[]} cities
 */
export function nameOf(lat, lng, cities) {
  let least = Infinity;
  let nearest = "";
  for (const [name, cityLat, cityLng] of cities) {
    const away = distanceKm(lat, lng, cityLat, cityLng);
    if (away < least) [least, nearest] = [away, name];
  }
  if (!nearest) return null;
  if (least < SAME_KM) return nearest;
  return least < NEAR_KM ? `near ${nearest}` : `${Math.round(least / 10) * 10} km from ${nearest}`;
}

/**
 * Along the surface, by the haversine formula.
 * @param {number} lat
 * @param {number} lng
 * @param {number} otherLat
 * @param {number} otherLng
 */
export function distanceKm(lat, lng, otherLat, otherLng) {
  const radians = Math.PI / 180;
  const across = Math.sin(((otherLng - lng) * radians) / 2) ** 2;
  const along = Math.sin(((otherLat - lat) * radians) / 2) ** 2;
  const part = along + Math.cos(lat * radians) * Math.cos(otherLat * radians) * across;
  return (2 * Math.asin(Math.sqrt(Math.min(1, part))) * KM_PER_DEGREE) / radians;
}

/**
 * The names that have room, the more important ones first.
 * @param {CanvasRenderingContext2D} context
 * @param {Projection} view
 * @param {City[]} cities  the most important first
 * @param {Record<string, string>} colours
 */
export function paintCities(context, view, cities, colours) {
  /** @type {[left: number, top: number, right: number, bottom: number][]} */
  const taken = [];
  context.font = FONT;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = colours.sea;
  context.fillStyle = colours["text-soft"];
  for (const [name, lat, lng] of cities.slice(0, Math.round(AT_ZOOM_0 * 2 ** view.zoom))) {
    const width = context.measureText(name).width + 6;
    for (const copy of view.copies()) {
      const x = view.width / 2 + (worldX(lng) + copy - view.x) * view.world;
      const y = view.height / 2 + (worldY(lat) - view.y) * view.world;
      if (x < -width || y < 0 || x > view.width || y > view.height) continue;
      const [left, top, right, bottom] = [x - APART_PX, y - LINE_PX, x + width + APART_PX, y + LINE_PX];
      if (taken.some((one) => one[0] < right && one[2] > left && one[1] < bottom && one[3] > top)) continue;
      taken.push([left, top, right, bottom]);
      context.beginPath();
      context.arc(x, y, 1.6, 0, 2 * Math.PI);
      context.fill();
      context.strokeText(name, x + 5, y);
      context.fillText(name, x + 5, y);
    }
  }
}
