// @ts-check
/**
 * <live-map>: where people are, in areas, on a canvas, with a shadow and a look of its own. Emits "viewport" ({west,
 * south, east, north, zoom}) when another part is looked at, "place" ({lat, lng}) when somebody picks one after
 * `pick()`, and "picking" (true, false).
 *
 *   map.show({ resolution, cells })     cells: Map(H3 index -> count)
 *   map.here({ lat, lng })              the own place, which only this page knows
 */
import { AreaList, areaWords, busiest } from "./areas.js";
import { nameOf } from "./cities.js";
import { part } from "./dom.js";
import { handle } from "./gestures.js";
import { FINE_FROM_ZOOM, load, ringsOf } from "./land.js";
import { coloursOf, legend } from "./legend.js";
import { readColours, SHEET } from "./maplook.js";
import { MapNews } from "./mapnews.js";
import { Projection } from "./projection.js";
import { Scene } from "./scene.js";
import { count } from "./words.js";

const SETTLED_MS = 3_000; // after a move what appears is what was there before, no news
const MOVING_MS = 150;
const TELL_EVERY_MS = 200;
const HINT_MS = 1_400;
const HERE_ZOOM_MIN = 3;
const AREA_ZOOM_MIN = 4;
const LIGHT = matchMedia("(prefers-color-scheme: light)");
const HINTS = {
  wheel: `Hold ${/Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl"} and scroll to zoom the map`,
  touch: "Move the map with two fingers",
};

/**
 * @typedef {{lat: number, lng: number}} Place
 * @typedef {{perDegree: number, rings: number[][]}} LandFile
 * @typedef {{cities: import("./cities.js").City[]}} CitiesFile
 */

export class PresenceMap extends HTMLElement {
  #view = new Projection();
  #scene = new Scene();
  #canvas = document.createElement("canvas");
  #caption = document.createElement("output");
  #legend = legend();
  #tip = part("p", "tip");
  #hint = part("p", "hint");
  #areas = new AreaList((cell) => this.#look(cell), (cell) => this.#go(cell));
  /** @type {import("./scene.js").World} */
  #world = { land: [], cities: [], cells: new Map(), hexagons: null, colours: {}, steps: [] };
  #fine = false; // the finer land is there, or is being fetched
  #news = new MapNews();
  /** @type {string | null} the cell that a pointer or the focus is at */
  #looked = null;
  /** @type {Place | null} */
  #here = null;
  #picking = false;
  #movedAt = -Infinity;
  #frame = 0;
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
  #timers = {};
  #observer = new ResizeObserver(() => this.#resize());
  #repaint = () => this.#dress();

  connectedCallback() {
    if (!this.shadowRoot) this.#build(this.attachShadow({ mode: "open" }));
    this.#observer.observe(this);
    LIGHT.addEventListener("change", this.#repaint);
    this.#dress();
    this.#tell();
    if (!this.#world.land.length) this.#load();
  }

  disconnectedCallback() {
    this.#observer.disconnect();
    LIGHT.removeEventListener("change", this.#repaint);
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    for (const name of Object.keys(this.#timers)) this.#clear(name);
  }

  /**
   * Shows these cells instead of those before; one whose number has risen flashes.
   * @param {import("./maptiles.js").Shown} shown
   */
  async show({ cells }) {
    if (cells.size) this.#world.hexagons ??= await import("./hexagons.js"); // with its library half of the page's weight
    const now = performance.now();
    const settled = now - this.#movedAt > SETTLED_MS;
    this.#news.compare(this.#world.cells, cells, settled, now);
    this.#world.cells = cells;
    if (this.#looked !== null && !cells.has(this.#looked)) this.#look(null);
    this.#changed();
    this.#soon("tell", TELL_EVERY_MS, () => this.#tell());
  }

  /**
   * Marks the own place, and moves there if it is out of sight; null removes the mark.
   * @param {Place | null} place
   */
  here(place) {
    this.#here = place;
    if (place && !this.#sees(place)) this.#view.centre(place.lat, place.lng, Math.max(this.#view.zoom, HERE_ZOOM_MIN));
    this.#viewed();
  }

  /** What is looked at: `look` shows it again. */
  get view() {
    return { ...this.#view.toPlace(this.#view.width / 2, this.#view.height / 2), zoom: this.#view.zoom };
  }

  /** @param {{lat: number, lng: number, zoom: number}} view */
  look({ lat, lng, zoom }) {
    this.#view.centre(lat, lng, zoom);
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

  /** @param {ShadowRoot} root */
  #build(root) {
    root.adoptedStyleSheets = [SHEET];
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "img");
    this.#caption.className = "caption";
    this.#caption.setAttribute("part", "caption");
    for (const silent of [this.#tip, this.#hint]) silent.setAttribute("aria-hidden", "true");
    this.#tip.hidden = true;
    const foot = part("div", "foot");
    foot.append(this.#caption, this.#legend);
    root.append(this.#canvas, this.#areas.element, foot, this.#controls(), this.#tip, this.#hint);
    handle(this.#canvas, {
      pan: (dx, dy) => this.#move(() => this.#view.pan(dx, dy)),
      zoom: (x, y, by) => this.#move(() => this.#view.zoomAt(x, y, by)),
      nudge: (dx, dy) => this.#move(() => this.#view.pan(dx, dy)),
      step: (by) => this.#step(by),
      tap: (x, y) => void (this.#picking ? this.#picked(x, y) : this.#point(x, y)),
      point: (x, y) => this.#point(x, y),
      leave: () => this.#look(null),
      hint: (how) => this.#say(HINTS[how]),
      key: (key) => this.#key(key),
    });
  }

  /** Takes up the colours of the page, which may have changed its scheme. */
  #dress() {
    this.#world.colours = readColours(this.#tip);
    this.#world.steps = coloursOf(this.#legend);
    this.#changed();
  }

  #load() {
    const wanted = () => this.isConnected;
    load(new URL("./land-110m.json", import.meta.url).href, wanted).then((/** @type {LandFile | null} */ land) => {
      if (!land || this.#world.land.length) return;
      this.#world.land = ringsOf(land);
      this.#changed();
    });
    load(new URL("./cities.json", import.meta.url).href, wanted).then((/** @type {CitiesFile | null} */ file) => {
      if (!file) return;
      this.#world.cities = file.cities;
      this.#changed();
      this.#tell();
    });
  }

  /** The finer coast, once somebody comes near enough to see it. */
  async #refine() {
    this.#fine = true;
    /** @type {LandFile | null} */
    const land = await load(new URL("./land-50m.json", import.meta.url).href, () => this.isConnected);
    if (!land) {
      this.#fine = false;
      return;
    }
    this.#world.land = ringsOf(land);
    this.#changed();
  }

  // --- what is seen

  #resize() {
    const { width, height } = this.getBoundingClientRect();
    if (!width || !height) return;
    this.#canvas.width = Math.round(width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    this.#view.resize(width, height);
    this.#viewed();
  }

  /** @param {() => void} change */
  #move(change) {
    this.#look(null);
    change();
    this.#viewed();
  }

  #viewed() {
    this.#movedAt = performance.now();
    if (!this.#fine && this.#view.zoom >= FINE_FROM_ZOOM) this.#refine();
    this.#draw();
    this.#soon("tell", TELL_EVERY_MS, () => this.#tell());
    this.dispatchEvent(new CustomEvent("viewport", { detail: this.#view.viewport() }));
  }

  /** @param {Place} place */
  #sees({ lat, lng }) {
    const [x, y] = this.#view.toPixel(lat, lng);
    return x >= 0 && y >= 0 && x <= this.#view.width && y <= this.#view.height;
  }

  /** What the map shows, in words: of the cells in view alone, as their steps are told. */
  #tell() {
    const { hexagons, cells } = this.#world;
    const seen = hexagons ? hexagons.inView(cells, this.#view) : [];
    const people = seen.reduce((sum, [, number]) => sum + number, 0);
    this.dataset.people = String(people);
    this.dataset.cells = String(seen.length);
    const words = this.#picking
      ? "Tap the map where you are"
      : people
        ? `At least ${count(people, "person", "people")} in ${count(seen.length, "area")} in view`
        : "Nobody to show here: areas appear when enough people share them";
    this.#caption.value = words;
    this.#canvas.setAttribute("aria-label", `World map. ${words}. Arrow keys move it, plus and minus zoom.`);
    this.#areas.show(busiest(seen).map(([cell, number]) => ({ cell, people: number, name: this.#nameOf(cell) ?? "" })));
  }

  /** @param {string} cell */
  #nameOf(cell) {
    const hexagon = this.#world.hexagons?.hexagonOf(cell);
    return hexagon ? nameOf(hexagon.lat, hexagon.lng, this.#world.cities) : null;
  }

  // --- drawing

  #changed() {
    this.#scene.stale = true;
    this.#draw();
  }

  #draw() {
    if (this.#frame || !this.isConnected) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0;
      const context = this.#canvas.getContext("2d", { alpha: false });
      if (!context) return;
      const moving = now - this.#movedAt < MOVING_MS;
      const exact = this.#scene.show(context, this.#view, this.#world, moving);
      this.dataset.paints = String(this.#scene.paints);
      this.#news.paint(context, this.#view, this.#world, { now, looked: this.#looked, here: this.#here });
      if (this.#news.moving) this.#draw();
      else if (!exact) this.#soon("calm", MOVING_MS, () => this.#draw());
    });
  }

  // --- what a pointer, the focus or a key is at

  /**
   * @param {number} x
   * @param {number} y
   */
  #point(x, y) {
    const { hexagons, cells } = this.#world;
    this.#look(hexagons ? hexagons.cellAt(cells, this.#view, x, y) : null);
  }

  /** Says of this cell how many are there, and near which city. @param {string | null} cell */
  #look(cell) {
    if (cell === this.#looked) return;
    this.#looked = cell;
    this.#canvas.classList.toggle("over", cell !== null);
    this.#tip.hidden = true;
    this.#draw();
    const hexagon = cell === null ? null : this.#world.hexagons?.hexagonOf(cell);
    if (cell === null || !hexagon) return;
    const [place] = this.#world.hexagons?.placesOf(hexagon, this.#view) ?? [];
    if (!place) return;
    this.#tip.textContent = areaWords(this.#world.cells.get(cell) ?? 0, this.#nameOf(cell));
    this.#tip.hidden = false;
    const { width, height } = this.#tip.getBoundingClientRect();
    const left = Math.max(4, Math.min(this.#view.width - width - 4, place[0] - width / 2));
    const above = place[1] - height - 12;
    this.#tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(above > 4 ? above : place[1] + 12)}px)`;
  }

  /** @param {string} cell */
  #go(cell) {
    const hexagon = this.#world.hexagons?.hexagonOf(cell);
    if (!hexagon) return;
    this.#view.centre(hexagon.lat, hexagon.lng, Math.max(this.#view.zoom, AREA_ZOOM_MIN));
    this.#viewed();
  }

  /** @param {number} by */
  #step(by) {
    this.#move(() => this.#view.zoomAt(this.#view.width / 2, this.#view.height / 2, by));
  }

  /** @param {string} key */
  #key(key) {
    if (!this.#picking) return false;
    if (key === "Enter") this.#picked(this.#view.width / 2, this.#view.height / 2);
    else if (key === "Escape") this.pick(false);
    else return false;
    return true;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #picked(x, y) {
    this.pick(false);
    this.dispatchEvent(new CustomEvent("place", { detail: this.#view.toPlace(x, y) }));
  }

  #controls() {
    const group = part("div", "zoom");
    for (const { sign, label, by } of [
      { sign: "+", label: "Zoom in", by: 1 },
      { sign: "−", label: "Zoom out", by: -1 },
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.setAttribute("aria-label", label);
      button.addEventListener("click", () => this.#step(by));
      group.append(button);
    }
    return group;
  }

  /** @param {string} words */
  #say(words) {
    this.#hint.textContent = words;
    this.#hint.classList.add("shown");
    this.#clear("hint");
    this.#soon("hint", HINT_MS, () => this.#hint.classList.remove("shown"));
  }

  /**
   * Once, after this time, however often it is asked.
   * @param {string} name
   * @param {number} afterMs
   * @param {() => void} act
   */
  #soon(name, afterMs, act) {
    this.#timers[name] ??= setTimeout(() => {
      this.#timers[name] = undefined;
      act();
    }, afterMs);
  }

  /** @param {string} name */
  #clear(name) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = undefined;
  }
}

customElements.define("live-map", PresenceMap);
