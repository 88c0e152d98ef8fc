// @ts-check
/** Cells as hexagons, coloured by how many people are in them. One fill each: a path of many is far slower. */
import { stepOf } from "./legend.js";
import { worldX, worldY } from "./projection.js";
import { cellToBoundary, cellToLatLng } from "./vendor/h3.js";

const KEPT_MAX = 20_000;
const RADIUS_PX_MIN = 4; // smaller ones are drawn as large as this
const LABEL_PX_MIN = 19;
const REACH_PX_MIN = 9; // of a pointer
const PALE_STEPS = 2; // the colours that take the page's own ink
const LABEL_FONT = "650 11px system-ui, -apple-system, 'Segoe UI', roboto, sans-serif";

/**
 * @typedef {import("./projection.js").Projection} Projection
 * @typedef {object} Hexagon  in worlds
 * @property {number} lat
 * @property {number} lng
 * @property {number} x
 * @property {number} y
 * @property {number} radius
 * @property {Float64Array} corners x, y, … from the centre
 */

/** @type {Map<string, Hexagon>} */
const known = new Map();

/**
 * @param {string} cell H3 index
 * @returns {Hexagon}
 */
export function hexagonOf(cell) {
  const before = known.get(cell);
  if (before) return before;
  const [lat, lng] = cellToLatLng(cell);
  const [x, y] = [worldX(lng), worldY(lat)];
  const boundary = cellToBoundary(cell);
  const corners = new Float64Array(boundary.length * 2);
  let radius = 0;
  boundary.forEach(([cornerLat, cornerLng], at) => {
    const away = worldX(cornerLng) - x;
    corners[2 * at] = away - Math.round(away); // a cell across the antimeridian is one piece
    corners[2 * at + 1] = worldY(cornerLat) - y;
    radius += Math.hypot(corners[2 * at], corners[2 * at + 1]) / boundary.length;
  });
  const hexagon = { lat, lng, x, y, radius, corners };
  if (known.size >= KEPT_MAX) known.clear();
  known.set(cell, hexagon);
  return hexagon;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Projection} view
 * @param {import("./maptiles.js").Cells} cells
 * @param {string[]} colours  by step
 * @param {Record<string, string>} others
 */
export function paintCells(context, view, cells, colours, others) {
  context.strokeStyle = others.sea;
  context.lineWidth = 0.7;
  context.font = LABEL_FONT;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const [cell, people] of cells) {
    const hexagon = hexagonOf(cell);
    const radius = hexagon.radius * view.world;
    for (const [x, y] of placesOf(hexagon, view)) {
      context.fillStyle = colours[stepOf(people)];
      trace(context, hexagon, view, x, y);
      context.fill();
      if (radius > RADIUS_PX_MIN) context.stroke();
      if (radius < LABEL_PX_MIN) continue;
      context.fillStyle = stepOf(people) < PALE_STEPS ? others["text-ink"] : others.on;
      context.fillText(`${people}+`, x, y);
    }
  }
}

/**
 * The outline of a cell, `by` times as large, as a path of the context.
 * @param {CanvasRenderingContext2D} context
 * @param {Hexagon} hexagon
 * @param {Projection} view
 * @param {number} x
 * @param {number} y
 * @param {number} [by]
 */
export function trace(context, { corners, radius }, view, x, y, by = 1) {
  const scale = by * Math.max(view.world, RADIUS_PX_MIN / radius);
  context.beginPath();
  for (let at = 0; at < corners.length; at += 2) {
    context.lineTo(x + corners[at] * scale, y + corners[at + 1] * scale);
  }
  context.closePath();
}

/**
 * Where in this view it is seen, in each copy of the world.
 * @param {Hexagon} hexagon
 * @param {Projection} view
 */
export function placesOf({ x, y, radius }, view) {
  const reach = Math.max(RADIUS_PX_MIN, radius * view.world * 1.3);
  const top = view.height / 2 + (y - view.y) * view.world;
  /** @type {import("./projection.js").Point[]} */
  const places = [];
  if (top < -reach || top > view.height + reach) return places;
  const half = (view.width / 2 + reach) / view.world;
  for (let copy = Math.ceil(view.x - half - x); copy <= Math.floor(view.x + half - x); copy += 1) {
    places.push([view.width / 2 + (x + copy - view.x) * view.world, top]);
  }
  return places;
}

/**
 * Those whose centre is in view: what the protocol counts as being in it.
 * @param {import("./maptiles.js").Cells} cells
 * @param {Projection} view
 */
export function inView(cells, view) {
  return [...cells].filter(([cell]) => {
    const { x, y } = hexagonOf(cell);
    const [left, top] = view.pixel(x, y);
    return left >= 0 && top >= 0 && left <= view.width && top <= view.height;
  });
}

/**
 * The cell at a pixel, or null.
 * @param {import("./maptiles.js").Cells} cells
 * @param {Projection} view
 * @param {number} x
 * @param {number} y
 */
export function cellAt(cells, view, x, y) {
  let least = Infinity;
  let found = null;
  for (const cell of cells.keys()) {
    const hexagon = hexagonOf(cell);
    const reach = Math.max(REACH_PX_MIN, hexagon.radius * view.world);
    for (const [left, top] of placesOf(hexagon, view)) {
      const away = Math.hypot(left - x, top - y);
      if (away <= reach && away < least) [least, found] = [away, cell];
    }
  }
  return found;
}
