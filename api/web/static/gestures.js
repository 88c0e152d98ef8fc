// @ts-check
/**
 * What hands do on the map, in a page that scrolls: a mouse drags it, the wheel zooms it with Ctrl or ⌘, two fingers
 * move and zoom it, keys too. One finger and the bare wheel are the page's, with a hint.
 */
const TAP_PX = 6;
const WHEEL_PX_A_LEVEL = 240;
const PINCH_FASTER = 8; // a pinch on a trackpad comes as a wheel with Ctrl, in smaller steps

/** @type {Record<string, [dx: number, dy: number]>} */
const MOVES = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
/** @type {Record<string, number>} */
const ZOOMS = { "+": 1, "=": 1, "-": -1 };

/**
 * @typedef {object} Hands
 * @property {(dx: number, dy: number) => void} pan
 * @property {(x: number, y: number, by: number) => void} zoom
 * @property {(dx: number, dy: number) => void} nudge by a key
 * @property {(by: number) => void} step by a key, at the centre
 * @property {(x: number, y: number) => void} tap
 * @property {(x: number, y: number) => void} point a mouse is over the map
 * @property {() => void} leave
 * @property {(how: "wheel" | "touch") => void} hint it was the page's
 * @property {(key: string) => boolean} key another key; true where it meant something
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Hands} hands
 */
export function handle(canvas, hands) {
  handleMouse(canvas, hands);
  handleTouch(canvas, hands);
  canvas.addEventListener("dblclick", (event) => hands.zoom(event.offsetX, event.offsetY, 1));
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return hands.hint("wheel");
      event.preventDefault();
      const faster = event.deltaMode === 0 && Math.abs(event.deltaY) < 20 ? PINCH_FASTER : 1;
      const by = (-event.deltaY * faster) / WHEEL_PX_A_LEVEL;
      return hands.zoom(event.offsetX, event.offsetY, Math.max(-1, Math.min(1, by)));
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // the browser's
    const move = MOVES[event.key];
    const by = ZOOMS[event.key];
    if (move) hands.nudge(...move);
    else if (by) hands.step(by);
    else if (!hands.key(event.key)) return;
    event.preventDefault();
  });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Hands} hands
 */
function handleMouse(canvas, hands) {
  /** @type {[x: number, y: number] | null} */
  let last = null;
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    moved = 0;
    if (event.pointerType === "touch" || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    last = [event.offsetX, event.offsetY];
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    if (!last) return hands.point(event.offsetX, event.offsetY);
    const [dx, dy] = [event.offsetX - last[0], event.offsetY - last[1]];
    last = [event.offsetX, event.offsetY];
    moved += Math.hypot(dx, dy);
    return hands.pan(dx, dy);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = null));
  canvas.addEventListener("pointerleave", () => hands.leave());
  canvas.addEventListener("click", (event) => {
    if (moved < TAP_PX) hands.tap(event.offsetX, event.offsetY);
  });
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Hands} hands
 */
function handleTouch(canvas, hands) {
  /** @type {{x: number, y: number, apart: number} | null} */
  let last = null;
  /** @param {TouchEvent} event */
  const pair = ({ touches: [one, other] }) => {
    const { left, top } = canvas.getBoundingClientRect();
    return {
      x: (one.clientX + other.clientX) / 2 - left,
      y: (one.clientY + other.clientY) / 2 - top,
      apart: Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY),
    };
  };
  canvas.addEventListener(
    "touchstart",
    (event) => {
      last = event.touches.length === 2 ? pair(event) : null;
      if (last) event.preventDefault();
    },
    { passive: false },
  );
  canvas.addEventListener(
    "touchmove",
    (event) => {
      if (event.touches.length === 1) return hands.hint("touch");
      if (event.touches.length !== 2 || !last) return undefined;
      event.preventDefault();
      const now = pair(event);
      hands.pan(now.x - last.x, now.y - last.y);
      if (last.apart > 0 && now.apart > 0) hands.zoom(now.x, now.y, Math.log2(now.apart / last.apart));
      last = now;
      return undefined;
    },
    { passive: false },
  );
  for (const end of ["touchend", "touchcancel"]) canvas.addEventListener(end, () => (last = null));
}
