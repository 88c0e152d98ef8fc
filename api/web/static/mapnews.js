// @ts-check
/** What is above the map's still picture: cells whose number has risen flash, what is looked at, the own place. */
const FLASH_MS = 1_100;
const FLASH_REACH = 1.1; // how much larger its ring gets
const GLOW = 0.4;
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

export class MapNews {
  /** @type {Map<string, number>} by cell, when it rose */
  #flashes = new Map();

  /** Whether something still moves. */
  get moving() {
    return this.#flashes.size > 0;
  }

  /**
   * @param {import("./maptiles.js").Cells} before
   * @param {import("./maptiles.js").Cells} cells
   * @param {boolean} settled  the same part is looked at: what was not shown before is new, too
   * @param {number} now
   */
  compare(before, cells, settled, now) {
    for (const [cell, people] of cells) {
      const known = before.get(cell) ?? (settled ? 0 : people);
      if (people > known) this.#flashes.set(cell, now);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {import("./projection.js").Projection} view
   * @param {import("./scene.js").World} world
   * @param {{now: number, looked: string | null, here: {lat: number, lng: number} | null}} shown
   */
  paint(context, view, world, { now, looked, here }) {
    const { hexagons, colours } = world;
    context.lineWidth = 2;
    /** @type {(cell: string, by: number, alpha: number, how?: () => void) => void} */
    const outline = (cell, by, alpha, how = () => context.stroke()) => {
      if (!hexagons) return;
      const hexagon = hexagons.hexagonOf(cell);
      context.globalAlpha = alpha;
      for (const [x, y] of hexagons.placesOf(hexagon, view)) {
        hexagons.trace(context, hexagon, view, x, y, by);
        how();
      }
      context.globalAlpha = 1;
    };
    context.strokeStyle = colours.people;
    context.fillStyle = colours["text-ink"];
    for (const [cell, began] of this.#flashes) {
      const gone = Math.max(0, (now - began) / FLASH_MS);
      if (gone >= 1 || STILL.matches) {
        this.#flashes.delete(cell);
        continue;
      }
      outline(cell, 1, GLOW * (1 - gone), () => context.fill());
      outline(cell, 1 + FLASH_REACH * gone, 1 - gone);
    }
    context.strokeStyle = colours["text-ink"];
    if (looked !== null) outline(looked, 1, 1);
    if (here) paintHere(context, view.toPixel(here.lat, here.lng), colours.here);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./projection.js").Point} place
 * @param {string} colour
 */
function paintHere(context, [x, y], colour) {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  for (const radius of [8, 2.5]) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (radius > 5) context.stroke();
    else context.fill();
  }
}
