// @ts-check
/**
 * The look of <live-map>, which it takes along to any page: colours of its own, which --map-sea and so on replace, and
 * parts: caption, legend, zoom, areas, tip, hint.
 */
const LOOK = `
  :host {
    --sea: var(--map-sea, light-dark(#dbe7ee, #0c151d));
    --land: var(--map-land, light-dark(#f7f9f8, #1b2a35));
    --coast: var(--map-coast, light-dark(#b6c6d0, #2b3f4d));
    --lines: var(--map-lines, light-dark(#cfdde6, #13202a));
    --people: var(--map-people, light-dark(#00705a, #4fd8b5));
    --here: var(--map-here, light-dark(#b35c00, #ffb84d));
    --on: var(--map-ink, light-dark(#fff, #04231b));
    --box: var(--card, light-dark(#fff, #111a22));
    --text-ink: var(--ink, light-dark(#14212b, #e8eff4));
    --text-soft: var(--soft, light-dark(#4a5f6d, #9db0bd));
    --button: var(--raised, light-dark(#eaf0f3, #18242e));
    --rim: var(--edge, light-dark(#788b97, #5d7486));
    position: relative; display: block; overflow: hidden; background: var(--sea); color: var(--text-ink);
    font: 400 0.8rem / 1.4 var(--sans, system-ui, -apple-system, "Segoe UI", sans-serif);
  }
  [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  canvas { position: absolute; inset: 0; width: 100%; height: 100%; cursor: grab; touch-action: pan-x pan-y; }
  canvas:active { cursor: grabbing; }
  canvas.over { cursor: pointer; }
  :host(.picking) canvas { cursor: crosshair; }
  :focus-visible { outline: 2px solid var(--people); outline-offset: -2px; }
  .foot {
    position: absolute; inset: auto 4rem 0.6rem 0.7rem; display: flex; flex-wrap: wrap; gap: 0.3rem;
    align-items: end; pointer-events: none;
  }
  .caption, .legend, .areas, .tip, .hint {
    margin: 0; padding: 0.2rem 0.6rem; border-radius: 8px; background: color-mix(in srgb, var(--box) 86%, transparent);
    color: var(--text-soft);
  }
  :host(.picking) .caption { color: var(--here); }
  .legend { display: flex; flex-wrap: wrap; gap: 0 0.7rem; list-style: none; }
  .legend li { display: flex; gap: 0.3rem; align-items: center; font-variant-numeric: tabular-nums; white-space: nowrap; }
  .legend i { width: 0.75rem; height: 0.75rem; border-radius: 3px; }
  .legend li:nth-child(1) i { background: color-mix(in srgb, var(--people) 38%, var(--land)); }
  .legend li:nth-child(2) i { background: color-mix(in srgb, var(--people) 62%, var(--land)); }
  .legend li:nth-child(3) i { background: color-mix(in srgb, var(--people) 84%, var(--land)); }
  .legend li:nth-child(4) i { background: var(--people); }
  .legend li:nth-child(5) i { background: color-mix(in srgb, var(--people) 45%, var(--here)); }
  .legend li:nth-child(6) i { background: var(--here); }
  .zoom { position: absolute; right: 0.7rem; bottom: 0.6rem; display: grid; gap: 0.35rem; }
  button { cursor: pointer; color: var(--text-ink); font: inherit; }
  .zoom button {
    width: 2.5rem; height: 2.5rem; padding: 0; border: 1px solid var(--rim); border-radius: 10px;
    background: var(--button); font-size: 1.2rem; line-height: 1;
  }
  .areas { position: absolute; top: 0.6rem; left: 0.7rem; max-width: calc(100% - 1.4rem); max-height: calc(100% - 5rem); overflow-y: auto; padding: 0; }
  .areas summary { padding: 0.5rem 0.8rem; color: var(--text-ink); cursor: pointer; }
  .areas ol { margin: 0; padding: 0 0.8rem 0.5rem 2rem; }
  .areas button { padding: 0.25rem 0; border: 0; background: none; text-align: left; }
  .areas button:hover { text-decoration: underline; }
  .tip { position: absolute; top: 0; left: 0; max-width: 16rem; color: var(--text-ink); pointer-events: none; }
  .hint {
    position: absolute; inset: 50% auto auto 50%; translate: -50% -50%; padding: 0.6rem 1rem; color: var(--text-ink);
    font-size: 0.9rem; text-align: center; pointer-events: none; opacity: 0; transition: opacity 0.2s;
  }
  .hint.shown { opacity: 1; }
  @media (prefers-reduced-motion: reduce) { .hint { transition: none; } }
`;

export const SHEET = new CSSStyleSheet();
SHEET.replaceSync(LOOK);

const NAMES = ["sea", "land", "coast", "lines", "people", "here", "on", "text-ink", "text-soft"];

/**
 * The colours that a canvas paints with, as they are now.
 * @param {HTMLElement} probe  in the shadow that has the sheet
 * @returns {Record<string, string>}
 */
export function readColours(probe) {
  const read = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.style.color = "";
  return Object.fromEntries(read);
}
