// @ts-check
/**
 * A Mercator view of the world. Points are in worlds: x 0 to 1 from 180° W to 180° E, y 0 to 1 from north to south; the
 * world is 256 × 2^zoom pixels wide, as on web maps, and repeats to both sides.
 */
const LAT_MAX = 85.0511; // where a Mercator world is as high as wide
const NORTH = 78; // what one sees at least: all land but the last of Greenland, without Antarctica
const SOUTH = -57;
const TOP = worldY(84);
const BOTTOM = worldY(-72);
const ZOOM_MAX = 14;

/** @typedef {[x: number, y: number]} Point */

export class Projection {
  width = 1;
  height = 1;
  x = worldX(10);
  y = (worldY(NORTH) + worldY(SOUTH)) / 2;
  zoom = 0;
  #fits = true; // as long as nobody has moved it, all land is shown whatever the size

  /** Pixels of a world. */
  get world() {
    return 256 * 2 ** this.zoom;
  }

  get lat() {
    return latOf(this.y);
  }

  get lng() {
    return lngOf(this.x);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    this.width = width;
    this.height = height;
    this.#clamp();
  }

  /**
   * The same view with more at each side.
   * @param {number} pixels
   */
  grown(pixels) {
    const grown = new Projection();
    return Object.assign(grown, {
      width: this.width + 2 * pixels,
      height: this.height + 2 * pixels,
      x: this.x,
      y: this.y,
      zoom: this.zoom,
    });
  }

  /** The worlds in view, as what to add to an x. */
  copies() {
    const half = this.width / 2 / this.world;
    const copies = [];
    for (let copy = Math.floor(this.x - half); copy <= Math.floor(this.x + half); copy += 1) copies.push(copy);
    return copies;
  }

  /**
   * Pixel of a point in worlds, in the copy that is nearest to the centre.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  pixel(x, y) {
    const away = x - this.x;
    return [this.width / 2 + (away - Math.round(away)) * this.world, this.height / 2 + (y - this.y) * this.world];
  }

  /**
   * @param {number} lat
   * @param {number} lng
   */
  toPixel(lat, lng) {
    return this.pixel(worldX(lng), worldY(lat));
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  toPlace(x, y) {
    return {
      lat: latOf(this.y + (y - this.height / 2) / this.world),
      lng: lngOf(this.x + (x - this.width / 2) / this.world),
    };
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    this.#fits = false;
    this.x -= dx / this.world;
    this.y -= dy / this.world;
    this.#clamp();
  }

  /**
   * Zooms by `by` levels and keeps what is under (x, y) where it is.
   * @param {number} x
   * @param {number} y
   * @param {number} by
   */
  zoomAt(x, y, by) {
    this.#fits = false;
    const before = this.world;
    this.zoom = Math.max(this.#smallest(), Math.min(ZOOM_MAX, this.zoom + by));
    const change = 1 / before - 1 / this.world;
    this.x += (x - this.width / 2) * change;
    this.y += (y - this.height / 2) * change;
    this.#clamp();
  }

  /**
   * @param {number} lat
   * @param {number} lng
   * @param {number} zoom
   */
  centre(lat, lng, zoom) {
    this.#fits = false;
    Object.assign(this, { x: worldX(lng), y: worldY(lat), zoom });
    this.#clamp();
  }

  /** What is visible, as the protocol's `viewport` wants it. */
  viewport() {
    const half = this.width / 2 / this.world;
    const whole = half > 0.5 - 1e-9;
    return {
      west: whole ? -180 : round(lngOf(this.x - half)),
      east: whole ? 180 : round(lngOf(this.x + half)),
      south: round(this.toPlace(0, this.height).lat),
      north: round(this.toPlace(0, 0).lat),
      zoom: Math.max(0, Math.min(22, Math.floor(this.zoom + 1e-9))),
    };
  }

  /** The zoom that shows all land. */
  #smallest() {
    return Math.log2(Math.min(this.width, this.height / (worldY(SOUTH) - worldY(NORTH))) / 256);
  }

  #clamp() {
    const smallest = this.#smallest();
    if (this.#fits) Object.assign(this, { zoom: smallest, y: (worldY(NORTH) + worldY(SOUTH)) / 2 });
    this.zoom = Math.max(smallest, Math.min(ZOOM_MAX, this.zoom));
    this.x -= Math.floor(this.x);
    const half = this.height / 2 / this.world;
    this.y = 2 * half > BOTTOM - TOP ? (worldY(NORTH) + worldY(SOUTH)) / 2 : Math.max(TOP + half, Math.min(BOTTOM - half, this.y));
  }
}

/** @param {number} lng */
export function worldX(lng) {
  return (lng + 180) / 360;
}

/** @param {number} lat */
export function worldY(lat) {
  const sine = Math.sin((Math.max(-LAT_MAX, Math.min(LAT_MAX, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

/**
 * In [-180, 180).
 * @param {number} x
 */
export function lngOf(x) {
  return (x - Math.floor(x)) * 360 - 180;
}

/** @param {number} y */
export function latOf(y) {
  const lat = (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
  return Math.max(-LAT_MAX, Math.min(LAT_MAX, lat));
}

/** @param {number} degrees */
const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
