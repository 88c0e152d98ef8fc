// @ts-check
/**
 * <live-map>: where people are, by cell, on a canvas. Emits "viewport" ({west, south, east, north, zoom}) when
 * another part is looked at, "place" ({lat, lng}) when somebody picks one after `pick()`, and "picking" (true, false).
 *
 *   map.show({ resolution, cells })     cells: Map(H3 index -> count)
 *   map.here({ lat, lng })              the own place, which only this page knows
 */
import { disc, paintLand, paintLines } from "./paint.js";
import { Projection } from "./projection.js";
import { count } from "./words.js";

const PULSE_MS = 1_100;
const CENTRES_MAX = 20_000;
const TAP_PX = 6;
const MARGIN_PX = 40; // what is this far outside the canvas is not drawn; no disc is larger
const LABEL_PX_MIN = 11;
const SPACING_DEGREES = 2.84; // between the centres of neighbours at resolution 2; each finer one is √7 closer

/** @typedef {{lat: number, lng: number}} Place */

const COLOURS = { sea: "", land: "", coast: "", lines: "", people: "", here: "", ink: "" };

/** @type {Record<string, [dx: number, dy: number]>} */
const MOVES = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

export class PresenceMap extends HTMLElement {
  #view = new Projection();
  #canvas = document.createElement("canvas");
  #caption = document.createElement("output");
  #colours = { ...COLOURS };
  /** @type {number[][]} rings of longitude, latitude, … in tenths of degrees */
  #land = [];
  /** @type {typeof import("./vendor/h3-js.es.js") | null} */
  #h3 = null;
  /** @type {import("./maptiles.js").Cells} */
  #cells = new Map();
  #resolution = 2;
  /** @type {Map<string, [lat: number, lng: number]>} by cell */
  #centres = new Map();
  /** @type {Map<string, number>} by cell, when it began to change */
  #pulses = new Map();
  /** @type {Place | null} */
  #here = null;
  #picking = false;
  /** @type {Map<number, [x: number, y: number]>} */
  #pointers = new Map();
  #moved = 0;
  #frame = 0;
  #observer = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "img");
    this.#caption.className = "caption";
    this.append(this.#canvas, this.#caption, this.#controls());
    const style = getComputedStyle(this);
    for (const name of /** @type {(keyof typeof COLOURS)[]} */ (Object.keys(COLOURS))) {
      this.#colours[name] = style.getPropertyValue(`--map-${name}`).trim();
    }
    this.#listen();
    this.#observer.observe(this);
    this.#tell();
    this.#load();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /**
   * Shows these cells instead of those before; what is new or has changed pulses once.
   * @param {import("./maptiles.js").Shown} shown
   */
  async show({ resolution, cells }) {
    this.#h3 ??= await import("./vendor/h3-js.es.js");
    const now = performance.now();
    for (const [cell, people] of cells) if (this.#cells.get(cell) !== people) this.#pulses.set(cell, now);
    this.#cells = cells;
    this.#resolution = resolution;
    this.#tell();
    this.#draw();
  }

  /**
   * Marks the own place, and moves there if it is out of sight; null removes the mark.
   * @param {Place | null} place
   */
  here(place) {
    this.#here = place;
    if (place && !this.#sees(place)) this.#view.centre(place.lat, place.lng, Math.max(this.#view.zoom, 3));
    this.#viewed();
  }

  /** The next tap on the map picks a place; again = no longer. */
  pick(wanted = !this.#picking) {
    this.#picking = wanted;
    this.classList.toggle("picking", wanted);
    this.#tell();
    this.dispatchEvent(new CustomEvent("picking", { detail: wanted }));
    if (wanted) this.#canvas.focus();
  }

  /** @param {Place} place */
  #sees({ lat, lng }) {
    const [x, y] = this.#view.toPixel(lat, lng);
    return x >= 0 && y >= 0 && x <= this.#view.width && y <= this.#view.height;
  }

  async #load() {
    const land = await (await fetch(new URL("./land.json", import.meta.url))).json();
    this.#land = land.rings;
    this.#draw();
  }

  #resize() {
    const { width, height } = this.getBoundingClientRect();
    if (!width || !height) return;
    this.#canvas.width = Math.round(width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    this.#view.resize(width, height);
    this.#viewed();
  }

  #viewed() {
    this.#draw();
    this.dispatchEvent(new CustomEvent("viewport", { detail: this.#view.viewport() }));
  }

  #tell() {
    let people = 0;
    for (const number of this.#cells.values()) people += number;
    this.dataset.people = String(people);
    this.dataset.cells = String(this.#cells.size);
    const words = this.#picking
      ? "Tap the map where you are"
      : people
        ? `${count(people, "person", "people")} in ${count(this.#cells.size, "place")} here`
        : "Nobody to show here: places appear when enough people share them";
    this.#caption.value = words;
    this.#canvas.setAttribute("aria-label", `World map. ${words}. Arrow keys move it, plus and minus zoom.`);
  }

  // --- drawing

  #draw() {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0;
      const context = this.#canvas.getContext("2d");
      if (context) this.#paint(context, now);
      if (this.#pulses.size) this.#draw();
    });
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} now
   */
  #paint(context, now) {
    const { width, height } = this.#view;
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.fillStyle = this.#colours.sea;
    context.fillRect(0, 0, width, height);
    paintLines(context, this.#view, this.#colours.lines);
    paintLand(context, this.#view, this.#land, this.#colours.land, this.#colours.coast);
    this.#paintCells(context, now);
    for (const [cell, began] of this.#pulses) if (now - began > PULSE_MS) this.#pulses.delete(cell);
    if (this.#here) this.#paintHere(context, this.#here);
  }

  /**
   * Discs at the cells' centres: larger and brighter with more people, never much wider than the cell itself.
   * @param {CanvasRenderingContext2D} context
   * @param {number} now
   */
  #paintCells(context, now) {
    const limit = Math.max(5, 0.62 * SPACING_DEGREES * 7 ** ((2 - this.#resolution) / 2) * this.#view.pixelsPerDegree);
    const visible = [];
    const h3 = this.#h3;
    if (!h3) return; // there are no cells without it
    for (const [cell, people] of this.#cells) {
      const [x, y] = this.#view.toPixel(...this.#centre(cell, h3));
      if (x < -MARGIN_PX || y < -MARGIN_PX || x > this.#view.width + MARGIN_PX || y > this.#view.height + MARGIN_PX) continue;
      const weight = Math.log2(1 + people);
      visible.push({ cell, people, x, y, weight, radius: Math.min(limit, MARGIN_PX, 2.5 + 1.5 * weight) });
    }
    context.fillStyle = this.#colours.people;
    context.globalAlpha = 0.1;
    for (const { x, y, radius } of visible) disc(context, x, y, radius * 2);
    for (const { cell, x, y, radius } of visible) {
      const pulse = this.#pulse(cell, now);
      if (pulse === null) continue;
      context.globalAlpha = 0.45 * (1 - pulse);
      disc(context, x, y, radius + 22 * pulse);
    }
    for (const { x, y, weight, radius } of visible) {
      context.globalAlpha = Math.min(0.95, 0.4 + 0.08 * weight);
      disc(context, x, y, radius);
    }
    context.globalAlpha = 1;
    context.fillStyle = this.#colours.ink;
    context.font = "650 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { x, y, people, radius } of visible) if (radius >= LABEL_PX_MIN) context.fillText(String(people), x, y);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Place} here
   */
  #paintHere(context, { lat, lng }) {
    const [x, y] = this.#view.toPixel(lat, lng);
    context.strokeStyle = this.#colours.here;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.stroke();
    context.fillStyle = this.#colours.here;
    disc(context, x, y, 2.5);
  }

  /**
   * How far the pulse of a cell has come, 0 to 1; null without one.
   * @param {string} cell
   * @param {number} now
   */
  #pulse(cell, now) {
    const began = this.#pulses.get(cell);
    if (began === undefined || matchMedia("(prefers-reduced-motion: reduce)").matches) return null;
    return Math.max(0, Math.min(1, (now - began) / PULSE_MS));
  }

  /**
   * @param {string} cell
   * @param {typeof import("./vendor/h3-js.es.js")} h3
   */
  #centre(cell, h3) {
    let centre = this.#centres.get(cell);
    if (!centre) {
      if (this.#centres.size >= CENTRES_MAX) this.#centres.clear();
      const [lat, lng] = h3.cellToLatLng(cell);
      centre = [lat, lng];
      this.#centres.set(cell, centre);
    }
    return centre;
  }

  // --- moving

  #controls() {
    const box = document.createElement("div");
    box.className = "zoom";
    for (const { sign, label, by } of [
      { sign: "+", label: "Zoom in", by: 1 },
      { sign: "−", label: "Zoom out", by: -1 },
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", () => this.#zoom(this.#view.width / 2, this.#view.height / 2, by));
      box.append(button);
    }
    return box;
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {number} by
   */
  #zoom(x, y, by) {
    this.#view.zoomAt(x, y, by);
    this.#viewed();
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      if (this.#pointers.size === 1) this.#moved = 0;
    });
    canvas.addEventListener("pointermove", (event) => this.#drag(event));
    canvas.addEventListener("pointerup", (event) => {
      this.#pointers.delete(event.pointerId);
      if (this.#picking && this.#moved < TAP_PX) this.#picked(event.offsetX, event.offsetY);
    });
    canvas.addEventListener("pointercancel", (event) => this.#pointers.delete(event.pointerId));
    canvas.addEventListener("dblclick", (event) => this.#zoom(event.offsetX, event.offsetY, 1));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.#zoom(event.offsetX, event.offsetY, Math.max(-1, Math.min(1, -event.deltaY / 240)));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {PointerEvent} event */
  #drag(event) {
    const from = this.#pointers.get(event.pointerId);
    if (!from) return;
    /** @type {[number, number]} */
    const to = [event.offsetX, event.offsetY];
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.#pointers.set(event.pointerId, to);
    this.#moved += Math.hypot(to[0] - from[0], to[1] - from[1]);
    if (others.length) {
      const before = Math.hypot(from[0] - others[0][0], from[1] - others[0][1]);
      const after = Math.hypot(to[0] - others[0][0], to[1] - others[0][1]);
      if (before > 0 && after > 0) this.#view.zoomAt(others[0][0], others[0][1], Math.log2(after / before));
    } else this.#view.pan(to[0] - from[0], to[1] - from[1]);
    this.#viewed();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const move = MOVES[event.key];
    if (move) this.#view.pan(...move);
    else if (event.key === "+" || event.key === "=") this.#view.zoomAt(this.#view.width / 2, this.#view.height / 2, 1);
    else if (event.key === "-") this.#view.zoomAt(this.#view.width / 2, this.#view.height / 2, -1);
    else if (event.key === "Enter" && this.#picking) return this.#picked(this.#view.width / 2, this.#view.height / 2);
    else if (event.key === "Escape" && this.#picking) return this.pick(false);
    else return undefined;
    event.preventDefault();
    return this.#viewed();
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #picked(x, y) {
    this.pick(false);
    this.dispatchEvent(new CustomEvent("place", { detail: this.#view.toPlace(x, y) }));
  }
}

customElements.define("live-map", PresenceMap);
