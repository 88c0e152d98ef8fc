// @ts-check
/** What the presence map draws below people, and the discs that stand for them. */
const LINES_EVERY_DEGREES = 30;

/** @typedef {import("./projection.js").Projection} Projection */

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
  for (let lng = -180; lng < 180; lng += LINES_EVERY_DEGREES) {
    const x = Math.round(view.toPixel(0, lng)[0]) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, view.height);
  }
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Projection} view
 * @param {number[][]} rings longitude, latitude, longitude, … in tenths of degrees
 * @param {string} land
 * @param {string} coast
 */
export function paintLand(context, view, rings, land, coast) {
  const scale = view.pixelsPerDegree;
  const middle = view.height / 2;
  const half = view.width / 2;
  context.fillStyle = land;
  context.strokeStyle = coast;
  context.lineJoin = "round";
  for (const turn of [-360, 0, 360]) {
    const left = half + (turn - view.lng) * scale;
    context.beginPath();
    for (const ring of rings) {
      for (let at = 0; at < ring.length; at += 2) {
        const x = left + (ring[at] / 10) * scale;
        const y = middle - (ring[at + 1] / 10 - view.lat) * scale;
        if (at) context.lineTo(x, y);
        else context.moveTo(x, y);
      }
      context.closePath();
    }
    context.fill("evenodd");
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
export function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
