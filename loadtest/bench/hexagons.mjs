// @ts-check
// What the benchmark of the map runs in a page that has the product's static files beside it.

const MOVE_PX = 3;
const TURN = 120; // frames to one side, then back: beyond what the map keeps painted around its view
const VIEW = { lat: 50, lng: 10, zoom: 4.5 };
const FRAME = () => new Promise((done) => requestAnimationFrame(done));

/**
 * Moves something by a few pixels a frame: frames a second, and the time of JavaScript a frame.
 * @param {number} frames
 * @param {(dx: number) => void} move  what happens before the page's own frame
 */
async function panned(frames, move) {
  const own = window.requestAnimationFrame;
  const spent = [];
  let now = 0;
  window.requestAnimationFrame = (paint) =>
    own((time) => {
      const began = performance.now();
      paint(time);
      now += performance.now() - began;
    });
  const began = performance.now();
  for (let frame = 0; frame < frames; frame += 1) {
    const moved = performance.now();
    move(Math.floor(frame / TURN) % 2 ? MOVE_PX : -MOVE_PX);
    now += performance.now() - moved;
    await new Promise((done) => own(done));
    spent.push(now);
    now = 0;
  }
  window.requestAnimationFrame = own;
  spent.sort((a, b) => a - b);
  return {
    frames_per_s: (1_000 * frames) / (performance.now() - began),
    ms_a_frame: spent.reduce((sum, ms) => sum + ms, 0) / frames,
    median_ms: spent[Math.floor(frames / 2)],
    longest_ms: spent[frames - 1],
  };
}

/**
 * The map as it is on the page; what it answers drags it by a mouse.
 * @param {[string, number][]} cells
 */
export async function live(cells) {
  await import(/** @type {string} */ ("/map.js"));
  /** @type {HTMLElement & {look?: (view: object) => void, show?: (shown: object) => Promise<void>}} */
  const map = document.createElement("live-map");
  map.style.height = "100vh";
  document.body.replaceChildren(map);
  const canvas = map.shadowRoot.querySelector("canvas");
  canvas.setPointerCapture = () => {}; // of a pointer that only this script has
  await FRAME();
  map.look(VIEW);
  await map.show({ resolution: 4, cells: new Map(cells) });
  const began = performance.now();
  while (performance.now() - began < 2_000) await FRAME(); // the finer coast comes, and nothing flashes any more
  const { x, y, width, height } = canvas.getBoundingClientRect();
  let at = x + width / 2;
  const tell = (type) =>
    canvas.dispatchEvent(
      new PointerEvent(type, { pointerType: "mouse", button: 0, clientX: at, clientY: y + height / 2, bubbles: true }),
    );
  return async (/** @type {number} */ frames) => {
    const before = Number(map.dataset.paints);
    tell("pointerdown");
    const found = await panned(frames, (dx) => {
      at += dx;
      tell("pointermove");
    });
    tell("pointerup");
    return { ...found, paints: Number(map.dataset.paints) - before };
  };
}

/**
 * The same hexagons, all painted anew for each frame: one fill each, or one path a colour.
 * @param {[string, number][]} cells
 * @param {boolean} together
 */
export async function anew(cells, together) {
  const { paintCells, placesOf, hexagonOf } = await import(/** @type {string} */ ("/hexagons.js"));
  const { Projection } = await import(/** @type {string} */ ("/projection.js"));
  const { STEPS, stepOf } = await import(/** @type {string} */ ("/legend.js"));
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: innerWidth, height: innerHeight });
  document.body.replaceChildren(canvas);
  const context = canvas.getContext("2d", { alpha: false });
  const view = new Projection();
  view.resize(innerWidth, innerHeight);
  view.centre(VIEW.lat, VIEW.lng, VIEW.zoom);
  const colours = STEPS.map((_, step) => `hsl(${160 + 10 * step} 60% ${20 + 10 * step}%)`);
  const all = new Map(cells);
  const paths = () => {
    const areas = colours.map(() => new Path2D());
    for (const [cell, people] of all) {
      const { corners } = hexagonOf(cell);
      for (const [x, y] of placesOf(hexagonOf(cell), view)) {
        const area = areas[stepOf(people)];
        area.moveTo(x + corners[0] * view.world, y + corners[1] * view.world);
        for (let corner = 2; corner < corners.length; corner += 2) {
          area.lineTo(x + corners[corner] * view.world, y + corners[corner + 1] * view.world);
        }
        area.closePath();
      }
    }
    areas.forEach((area, step) => {
      context.fillStyle = colours[step];
      context.fill(area);
      context.stroke(area);
    });
  };
  const paint = (/** @type {number} */ dx) => {
    view.pan(dx, 0);
    context.fillStyle = "#0c151d";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (together) paths();
    else paintCells(context, view, all, colours, { sea: "#0c151d", on: "#fff", "text-ink": "#fff" });
  };
  paint(0); // what is known of a hexagon is known from then on
  return async (/** @type {number} */ frames) => ({ ...(await panned(frames, paint)), paints: frames });
}
