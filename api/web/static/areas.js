// @ts-check
/** The busiest areas of the map as text, for whoever cannot see it or searches the page. */
import { count } from "./words.js";

const SHOWN_MAX = 10;

/**
 * @typedef {object} Area
 * @property {string} cell
 * @property {number} people
 * @property {string} name
 */

/**
 * "At least 50 people near Berlin".
 * @param {number} people
 * @param {string | null} name
 */
export function areaWords(people, name) {
  const where = name === null ? "in this area" : /^(near|\d)/.test(name) ? name : `in ${name}`;
  return `At least ${count(people, "person", "people")} ${where}`;
}

/**
 * The busiest of these cells, the first of equals by its index, so that a list stays as it is.
 * @param {[cell: string, people: number][]} cells
 */
export function busiest(cells) {
  return [...cells].sort(([a, many], [b, more]) => more - many || (a < b ? -1 : 1)).slice(0, SHOWN_MAX);
}

export class AreaList {
  element = document.createElement("details");
  #list = document.createElement("ol");
  #told = "";

  /**
   * @param {(cell: string | null) => void} look  one of them has the focus, or none any more
   * @param {(cell: string) => void} go
   */
  constructor(look, go) {
    this.element.className = "areas";
    this.element.setAttribute("part", "areas");
    const summary = document.createElement("summary");
    summary.textContent = "Busiest areas";
    this.element.append(summary, this.#list);
    /** @param {Event} event */
    const cellOf = ({ target }) => (target instanceof HTMLButtonElement ? (target.dataset.cell ?? null) : null);
    for (const kind of ["focusin", "pointerover"]) this.#list.addEventListener(kind, (event) => look(cellOf(event)));
    for (const kind of ["focusout", "pointerleave"]) this.#list.addEventListener(kind, () => look(null));
    this.#list.addEventListener("click", (event) => {
      const cell = cellOf(event);
      if (cell) go(cell);
    });
  }

  /** @param {Area[]} areas */
  show(areas) {
    const told = JSON.stringify(areas);
    if (told === this.#told) return; // what has the focus keeps it
    this.#told = told;
    const buttons = [...this.#list.querySelectorAll("button")];
    const root = this.#list.getRootNode();
    const focused = root instanceof ShadowRoot ? buttons.indexOf(/** @type {HTMLButtonElement} */ (root.activeElement)) : -1;
    const rows = areas.map(({ cell, people, name }) => {
      const row = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.cell = cell;
      button.textContent = areaWords(people, name);
      row.append(button);
      return row;
    });
    if (!rows.length) {
      const row = document.createElement("li");
      row.textContent = "None in view.";
      rows.push(row);
    }
    this.#list.replaceChildren(...rows);
    if (focused >= 0) [...this.#list.querySelectorAll("button")].at(Math.min(focused, rows.length - 1))?.focus();
  }
}
