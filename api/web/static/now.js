// @ts-check
/**
 * <live-now>: how many people train, minute by minute, and what; and how fast workouts come in. A shadow and a look of
 * its own; parts: figure, minutes, rate, line, exercises.
 *
 *   now.follow(async () => minutes)     each {minute, training, exercises: [{name, count}]}, oldest first
 *   now.heard(2)                        so many workouts have just been told
 */
import { part } from "./dom.js";
import { POINT_S, Rate } from "./rate.js";
import { Timers } from "./timers.js";
import { count, figure } from "./words.js";

const ASK_EVERY_MS = 60_000;
const EXERCISES_MAX = 5;
const RATE_S = 60;
const RATE_EVERY_MS = 1_000;
const HEIGHT = 40;
const STEP = 10; // from point to point of the line
const SVG = "http://www.w3.org/2000/svg";

const SHEET = new CSSStyleSheet();
SHEET.replaceSync(`
  :host { display: grid; gap: 0.5rem; color: var(--ink, CanvasText); font: 400 0.9rem / 1.4 var(--sans, system-ui); }
  p, ol { margin: 0; }
  strong { color: var(--warm, currentcolor); font-size: 1.15rem; font-variant-numeric: tabular-nums; }
  svg { display: block; width: 100%; height: 2.5rem; fill: var(--warm, currentcolor); }
  rect.open { opacity: 0.5; }
  .rate { color: var(--soft, GrayText); }
  .pace { display: grid; grid-template-columns: auto minmax(3rem, 1fr); gap: 0.8rem; align-items: center; }
  .line { height: 1.4rem; overflow: hidden; fill: none; stroke: var(--accent, currentcolor); stroke-width: 2; }
  polyline { vector-effect: non-scaling-stroke; animation: slide 0.6s ease-out; }
  @keyframes slide { from { transform: translateX(10px); } }
  @media (prefers-reduced-motion: reduce) { polyline { animation: none; } }
  ol { display: flex; flex-wrap: wrap; gap: 0.3rem 0.5rem; padding: 0; list-style: none; }
  li { padding: 0.1rem 0.6rem; border: 1px solid var(--line, GrayText); border-radius: 99px; }
`);

/** @typedef {{minute: string, training: number, exercises: {name: string, count: number}[]}} Minute */

export class LiveNow extends HTMLElement {
  #timers = new Timers();
  /** @type {(() => Promise<Minute[]>) | null} */
  #ask = null;
  #workouts = new Rate();
  #figure = part("p", "figure");
  #minutes = document.createElementNS(SVG, "svg");
  #exercises = part("ol", "exercises");
  #rate = part("p", "rate");
  #line = document.createElementNS(SVG, "svg");
  #lineAt = -1; // when its last point began
  #seen = () => this.#refresh();

  connectedCallback() {
    if (!this.shadowRoot) {
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [SHEET];
      this.#minutes.setAttribute("part", "minutes");
      this.#minutes.setAttribute("role", "img");
      this.#minutes.setAttribute("preserveAspectRatio", "none");
      this.#line.setAttribute("class", "line");
      this.#line.setAttribute("part", "line");
      this.#line.setAttribute("aria-hidden", "true"); // the rate says it
      this.#line.setAttribute("preserveAspectRatio", "none");
      const pace = document.createElement("div");
      pace.className = "pace";
      pace.append(this.#rate, this.#line);
      root.append(this.#figure, this.#minutes, this.#exercises, pace);
      this.#showRate();
    }
    document.addEventListener("visibilitychange", this.#seen);
    this.#refresh();
  }

  disconnectedCallback() {
    document.removeEventListener("visibilitychange", this.#seen);
    this.#timers.clearAll();
  }

  /** @param {() => Promise<Minute[]>} ask */
  follow(ask) {
    this.#ask = ask;
    this.#refresh();
  }

  /** @param {number} workouts */
  heard(workouts) {
    this.#workouts.add(secondsNow(), workouts);
    this.#timers.soon("rate", 0, () => this.#showRate());
  }

  /** What was shown stays while there is no answer; a page that nobody sees asks nothing. */
  async #refresh() {
    this.#timers.set("ask", ASK_EVERY_MS, () => this.#refresh());
    if (!this.#ask || document.hidden) return;
    try {
      this.#show(await this.#ask());
    } catch {
      // the next time
    }
  }

  /** @param {Minute[]} minutes */
  #show(minutes) {
    // The last one has only begun: the one before says more. Whoever trained in a part of it counts, so that it is more
    // than who trains at this moment.
    const [before, last] = [minutes.at(-2), minutes.at(-1)];
    if (!before || !last) return;
    const people = Math.max(before.training, last.training);
    const strong = document.createElement("strong");
    strong.textContent = figure(people);
    this.#figure.replaceChildren(strong, ` ${people === 1 ? "person" : "people"} trained in the last minute`);
    const most = Math.max(1, ...minutes.map(({ training }) => training));
    this.#minutes.setAttribute("viewBox", `0 0 ${minutes.length * 10} ${HEIGHT}`);
    const peak = `at most ${count(most, "person", "people")} in a minute`;
    this.#minutes.setAttribute("aria-label", `The last ${minutes.length} minutes: ${peak}`);
    this.#minutes.replaceChildren(
      ...minutes.map(({ training }, at) => bar(at, Math.max(1, (HEIGHT * training) / most), at === minutes.length - 1)),
    );
    const exercises = (last.exercises.length ? last : before).exercises.slice(0, EXERCISES_MAX);
    this.#exercises.replaceChildren(...exercises.map(({ name, count: some }) => item(`${name}, ${figure(some)}+`)));
    this.#exercises.hidden = !exercises.length;
  }

  #showRate() {
    const now = secondsNow();
    this.#rate.textContent = `${count(this.#workouts.within(now, RATE_S), "workout")} in the last minute`;
    const line = this.#workouts.line(now);
    this.#draw(line, Math.floor(now / POINT_S));
    if (line.some(Boolean)) this.#timers.set("rate", RATE_EVERY_MS, () => this.#showRate());
  }

  /**
   * As a line that moves on where a new point begins.
   * @param {number[]} line
   * @param {number} at  which point is the last
   */
  #draw(line, at) {
    const most = Math.max(1, ...line);
    const points = line.map((some, n) => `${n * STEP},${(HEIGHT * (1 - (0.9 * some) / most) - 2).toFixed(1)}`).join(" ");
    if (at !== this.#lineAt) {
      this.#lineAt = at;
      this.#line.setAttribute("viewBox", `0 0 ${(line.length - 1) * STEP} ${HEIGHT}`);
      this.#line.replaceChildren(document.createElementNS(SVG, "polyline"));
    }
    this.#line.firstElementChild?.setAttribute("points", points);
  }
}

const secondsNow = () => performance.now() / 1_000;

/**
 * @param {number} at
 * @param {number} height
 * @param {boolean} open  not over yet
 */
function bar(at, height, open) {
  const made = document.createElementNS(SVG, "rect");
  const place = { x: at * 10 + 1, y: HEIGHT - height, width: 8, height, rx: 1 };
  for (const [name, value] of Object.entries(place)) made.setAttribute(name, String(value));
  made.classList.toggle("open", open);
  return made;
}

/** @param {string} words */
function item(words) {
  const made = document.createElement("li");
  made.textContent = words;
  return made;
}

customElements.define("live-now", LiveNow);
