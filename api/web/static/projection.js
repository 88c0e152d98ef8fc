// @ts-check
/**
 * Equirectangular view of the world: degrees to pixels and back. `zoom` counts as on web maps: the world is
 * 256 × 2^zoom pixels wide.
 */
const LAT_MIN = -62;
const LAT_MAX = 84;
const ZOOM_MAX = 14;

export class Projection {
  width = 1;
  height = 1;
  lat = 25;
  lng = 10;
  zoom = 1;

  get pixelsPerDegree() {
    return (256 * 2 ** this.zoom) / 360;
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
   * Pixel of a point, in the copy of the world that is nearest to the centre.
   * @param {number} lat
   * @param {number} lng
   * @returns {[number, number]}
   */
  toPixel(lat, lng) {
    const scale = this.pixelsPerDegree;
    return [this.width / 2 + turn(lng - this.lng) * scale, this.height / 2 - (lat - this.lat) * scale];
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  toPlace(x, y) {
    const scale = this.pixelsPerDegree;
    const lat = this.lat - (y - this.height / 2) / scale;
    return { lat: Math.max(-90, Math.min(90, lat)), lng: turn(this.lng + (x - this.width / 2) / scale) };
  }

  /**
   * @param {number} dx
   * @param {number} dy
   */
  pan(dx, dy) {
    const scale = this.pixelsPerDegree;
    this.lng = turn(this.lng - dx / scale);
    this.lat += dy / scale;
    this.#clamp();
  }

  /**
   * Zooms by `by` levels and keeps the place under (x, y) where it is.
   * @param {number} x
   * @param {number} y
   * @param {number} by
   */
  zoomAt(x, y, by) {
    const { lat, lng } = this.toPlace(x, y);
    this.zoom += by;
    this.#clamp();
    const [atX, atY] = this.toPixel(lat, lng);
    this.pan(x - atX, y - atY);
  }

  /**
   * @param {number} lat
   * @param {number} lng
   * @param {number} zoom
   */
  centre(lat, lng, zoom) {
    Object.assign(this, { lat, lng, zoom });
    this.#clamp();
  }

  /** What is visible, as the protocol's `viewport` wants it. */
  viewport() {
    const spanLng = this.width / this.pixelsPerDegree;
    const spanLat = this.height / this.pixelsPerDegree;
    const whole = spanLng > 360 - 1e-6; // a map as wide as the world is not quite, by rounding
    return {
      west: whole ? -180 : round(turn(this.lng - spanLng / 2)),
      east: whole ? 180 : round(turn(this.lng + spanLng / 2)),
      south: round(Math.max(-90, this.lat - spanLat / 2)),
      north: round(Math.min(90, this.lat + spanLat / 2)),
      zoom: Math.max(0, Math.min(22, Math.floor(this.zoom + 1e-9))),
    };
  }

  #clamp() {
    const smallest = Math.max(this.width / 360, this.height / (LAT_MAX - LAT_MIN));
    this.zoom = Math.max(Math.log2((smallest * 360) / 256), Math.min(ZOOM_MAX, this.zoom));
    const half = this.height / this.pixelsPerDegree / 2;
    this.lat = Math.max(LAT_MIN + half, Math.min(LAT_MAX - half, this.lat));
  }
}

/**
 * The same meridian in [-180, 180).
 * @param {number} degrees
 */
function turn(degrees) {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

/** @param {number} degrees */
const round = (degrees) => Math.round(degrees * 1e5) / 1e5;
