// @ts-check
/** Which colour stands for how many people. The colours are the swatches' own, so that legend and map cannot differ. */
import { figure } from "./words.js";

/** The least count of each colour. */
export const STEPS = [0, 10, 20, 50, 200, 1_000];

/**
 * The index of its colour.
 * @param {number} people
 */
export const stepOf = (people) => STEPS.filter((least) => people >= least).length - 1;

/** The legend as a list: "fewer than 10", "10+", … */
export function legend() {
  const list = document.createElement("ul");
  list.className = "legend";
  list.setAttribute("part", "legend");
  list.setAttribute("aria-label", "People in an area, at least");
  for (const [at, least] of STEPS.entries()) {
    const row = document.createElement("li");
    row.append(document.createElement("i"), at ? `${figure(least)}+` : `< ${figure(STEPS[1])}`);
    list.append(row);
  }
  return list;
}

/**
 * The colours that the swatches have now, by step.
 * @param {HTMLElement} list
 */
export function coloursOf(list) {
  return [...list.querySelectorAll("i")].map((swatch) => getComputedStyle(swatch).backgroundColor);
}
