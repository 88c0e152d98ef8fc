// @ts-check
/**
 * What stands still on the map, painted once into a bitmap that is larger than what is seen: moving the map then
 * copies it, and paints again only where its edge comes into view.
 */
import { paintCities } from "./cities.js";
import { paintLand, paintLines } from "./land.js";

const MARGIN_PX = 192;
const SLOW_MS = 24; // what takes longer to paint is stretched while it is zoomed

/**
 * @typedef {import("./projection.js").Projection} Projection
 *
 * @typedef {object} World  what there is to paint
 * @property {import("./land.js").Ring[]} land
 * @property {import("./cities.js").City[]} cities
 * @property {import("./maptiles.js").Cells} cells
 * @property {typeof import("./hexagons.js") | null} hexagons  there are no cells without it
 * @property {Record<string, string>} colours
 * @property {string[]} steps
 */

export class Scene {
  #canvas = document.createElement("canvas");
  /** @type {Projection | null} */
  #view = null;
  #ratio = 1;
  #cost = 0;
  /** Something in it has changed. */
  stale = true;
  paints = 0;

  /**
   * Copies this part of it; answers false where what was shown is not what should be, so that another frame must come.
   * @param {CanvasRenderingContext2D} context
   * @param {Projection} view
   * @param {World} world
   * @param {boolean} moving
   */
  show(context, view, world, moving) {
    const ratio = devicePixelRatio;
    const can = this.#view && this.#ratio === ratio && this.#covers(view);
    const exact = this.#view?.zoom === view.zoom && !this.stale;
    if (!can || (!exact && !(moving && (this.#view?.zoom === view.zoom || this.#cost > SLOW_MS)))) {
      this.#paint(view.grown(MARGIN_PX), world, ratio);
    }
    const painted = /** @type {Projection} */ (this.#view);
    const scale = view.world / painted.world;
    const [x, y] = view.pixel(painted.x, painted.y);
    const left = Math.round((x - (painted.width / 2) * scale) * ratio);
    const top = Math.round((y - (painted.height / 2) * scale) * ratio);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = world.colours.sea;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    context.drawImage(this.#canvas, left, top, this.#canvas.width * scale, this.#canvas.height * scale);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return painted.zoom === view.zoom && !this.stale;
  }

  /** @param {Projection} view */
  #covers(view) {
    const painted = this.#view;
    if (!painted) return false;
    const scale = view.world / painted.world;
    const [x, y] = view.pixel(painted.x, painted.y);
    const [awayX, awayY] = [Math.abs(x - view.width / 2), Math.abs(y - view.height / 2)];
    return (
      awayX + view.width / 2 <= (painted.width / 2) * scale + 0.5 &&
      awayY + view.height / 2 <= (painted.height / 2) * scale + 0.5
    );
  }

  /**
   * @param {Projection} view
   * @param {World} world
   * @param {number} ratio
   */
  #paint(view, { land, cities, cells, hexagons, colours, steps }, ratio) {
    const began = performance.now();
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const context = this.#canvas.getContext("2d", { alpha: false });
    if (context) {
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.fillStyle = colours.sea;
      context.fillRect(0, 0, view.width, view.height);
      paintLines(context, view, colours.lines);
      paintLand(context, view, land, colours);
      hexagons?.paintCells(context, view, cells, steps, colours);
      paintCities(context, view, cities, colours);
    }
    Object.assign(this, { stale: false, paints: this.paints + 1 });
    this.#view = view;
    this.#ratio = ratio;
    this.#cost = performance.now() - began;
  }
}
