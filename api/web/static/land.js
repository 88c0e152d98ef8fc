// @ts-check
/** The land of the map, and the names of cities: files beside this one, asked for when they are needed. */
import { worldX, worldY } from "./projection.js";

const RETRY_MS = 4_000;
export const FINE_FROM_ZOOM = 4;
const LINES_EVERY_DEGREES = 30;

/**
 * @typedef {import("./projection.js").Projection} Projection
 * @typedef {{area: Path2D, west: number, east: number, north: number, south: number}} Ring  in worlds
 */

/**
 * Asks again until it comes, or nobody wants it any more.
 * @template T
 * @param {string} url
 * @param {() => boolean} wanted
 * @returns {Promise<T | null>}
 */
export async function load(url, wanted) {
  while (wanted()) {
    try {
      const answer = await fetch(url);
      if (answer.ok) return await answer.json();
    } catch {
      // as an answer that is not ok
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

/**
 * @param {{perDegree: number, rings: number[][]}} file  steps from point to point: longitude, latitude, …; a ring may run past 180°
 * @returns {Ring[]}
 */
export function ringsOf({ perDegree, rings }) {
  return rings.map((steps) => {
    const area = new Path2D();
    const ring = { area, west: Infinity, east: -Infinity, north: Infinity, south: -Infinity };
    let [lng, lat] = [0, 0];
    for (let at = 0; at < steps.length; at += 2) {
      lng += steps[at];
      lat += steps[at + 1];
      const [x, y] = [worldX(lng / perDegree), worldY(lat / perDegree)];
      if (at) area.lineTo(x, y);
      else area.moveTo(x, y);
      ring.west = Math.min(ring.west, x);
      ring.east = Math.max(ring.east, x);
      ring.north = Math.min(ring.north, y);
      ring.south = Math.max(ring.south, y);
    }
    area.closePath();
    return ring;
  });
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Projection} view
 * @param {Ring[]} rings
 * @param {Record<string, string>} colours
 */
export function paintLand(context, view, rings, { land, coast }) {
  const { world, width, height } = view;
  const [halfX, halfY] = [width / 2 / world, height / 2 / world];
  context.fillStyle = land;
  context.strokeStyle = coast;
  context.lineJoin = "round";
  const copies = view.copies();
  for (const copy of [copies[0] - 1, ...copies, copies[copies.length - 1] + 1]) {
    const [west, north] = [view.x - halfX - copy, view.y - halfY];
    const seen = rings.filter(
      (ring) => ring.east > west && ring.west < west + 2 * halfX && ring.south > north && ring.north < north + 2 * halfY,
    );
    if (!seen.length) continue;
    const areas = new Path2D(); // one for all: a lake is a ring in a ring
    for (const ring of seen) areas.addPath(ring.area);
    context.save();
    context.translate(width / 2 + (copy - view.x) * world, height / 2 - view.y * world);
    context.scale(world, world);
    context.lineWidth = 0.8 / world;
    context.fill(areas, "evenodd");
    context.stroke(areas);
    context.restore();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Projection} view
 * @param {string} colour
 */
export function paintLines(context, view, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let lat = -60; lat <= 60; lat += LINES_EVERY_DEGREES) {
    const y = Math.round(view.toPixel(lat, 0)[1]) + 0.5;
    context.moveTo(0, y);
    context.lineTo(view.width, y);
  }
  for (const copy of view.copies()) {
    for (let lng = -180; lng < 180; lng += LINES_EVERY_DEGREES) {
      const x = Math.round(view.width / 2 + (worldX(lng) + copy - view.x) * view.world) + 0.5;
      context.moveTo(x, 0);
      context.lineTo(x, view.height);
    }
  }
  context.stroke();
}
