// @ts-check
/** Pictures, drawn in lines of the colour of the text: they travel with the code, so that no other file is asked. */

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} on a square of 24 */
const LINES = {
  workout: "M2 12h2m16 0h2M6 7v10M9 5v14M15 5v14M18 7v10M9 12h6",
  level: "M5 14l7-8 7 8M5 20l7-8 7 8",
  medal: "M12 14a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11Zm-3.4-1L7 21l5-2.6L17 21l-1.6-8",
  flame:
    "M13.5 3c.6 3.4 4.5 5.2 4.5 10.2A6.1 6.1 0 0 1 12 21a6.1 6.1 0 0 1-6-6.3c0-3 2-4.4 2.6-7.2 1.7.8 2.6 2 2.7 3.7C13 9.2 14 6.5 13.5 3Z",
  trophy:
    "M8 4h8v5.5a4 4 0 0 1-8 0V4Zm0 1.5H4.5V7A3.5 3.5 0 0 0 8 10.5m8-5h3.5V7a3.5 3.5 0 0 1-3.5 3.5M12 13.5V18m-4 2.5h8",
  flag: "M6 21V4m0 .5h12l-2.5 4 2.5 4H6",
  hand: "M7 12V6m3 5V4m3 7V4m3 8V6m0 6v3a6 6 0 0 1-11 3l-2-4 2-1 2 2",
  person: "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7.5 10c0-4.2 3.3-6.5 7.5-6.5s7.5 2.3 7.5 6.5",
  coin: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM8.5 12h7M12 8.5v7",
};

/**
 * The picture of that name, which says nothing to a screen reader; of no known name: a workout.
 * @param {string} name
 */
export function picture(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", LINES[name] ?? LINES.workout);
  path.setAttribute("fill", "none");
  path.setAttribute("stroke", "currentColor");
  path.setAttribute("stroke-width", "2");
  path.setAttribute("stroke-linecap", "round");
  path.setAttribute("stroke-linejoin", "round");
  svg.append(path);
  return svg;
}
