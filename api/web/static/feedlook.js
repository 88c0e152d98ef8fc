// @ts-check
/**
 * The look of <live-feed>, which it takes along to any page: colours of its own in the scheme of that page, which
 * --live-ink, --live-card and so on replace, and parts: scroller, row, picture, title, detail, time, five, pill.
 */
const HUES = `
  :host {
    --ink: var(--live-ink, light-dark(#14212b, #e8eff4));
    --soft: var(--live-soft, light-dark(#4a5f6d, #9db0bd));
    --card: var(--live-card, light-dark(#fff, #111a22));
    --raised: var(--live-raised, light-dark(#eaf0f3, #18242e));
    --line: var(--live-line, light-dark(#d5dfe5, #22313d));
    --edge: var(--live-edge, light-dark(#788b97, #5d7486));
    --accent: var(--live-accent, light-dark(#00705a, #4fd8b5));
    --accent-ink: var(--live-accent-ink, light-dark(#fff, #04231b));
    --warm: var(--live-warm, light-dark(#8a5200, #ffb84d));
    --cool: var(--live-cool, light-dark(#0a5f9e, #7cc4ff));
    --grape: var(--live-grape, light-dark(#6340c8, #bba6ff));
    --rose: var(--live-rose, light-dark(#ab2261, #ff9ac1));
  }
`;

const FRAME = `
  :host {
    position: relative;
    display: flex;
    flex-direction: column;
    min-height: 0;
    max-height: var(--live-height, 32rem);
    background: var(--card);
    color: var(--ink);
    font: 400 var(--live-text, 0.9375rem) / 1.5 var(--live-font, system-ui, -apple-system, "Segoe UI", sans-serif);
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; margin: 0; }
  .scroller {
    position: relative; flex: 1; min-height: 0; overflow-y: auto; overflow-anchor: none; scrollbar-width: thin;
  }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; border-radius: 6px; }
  .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .notice { padding: 0.4rem 0.3rem; color: var(--soft); font-size: 0.875rem; }
  button { cursor: pointer; color: inherit; font: inherit; }
  .pill {
    position: absolute; z-index: 1; top: 0.4rem; left: 50%; translate: -50%;
    min-height: 2.5rem; padding: 0.2rem 1.1rem; border: 0; border-radius: 99px;
    background: var(--accent); color: var(--accent-ink); font-weight: 650; white-space: nowrap;
    box-shadow: 0 4px 18px rgb(0 0 0 / 30%);
  }
  .skipped {
    display: flex; flex-wrap: wrap; gap: 0.3rem 0.8rem; align-items: center; justify-content: space-between;
    padding: 0.6rem 0.8rem; border-radius: 10px; background: var(--raised); font-size: 0.875rem;
  }
  .skipped span { color: var(--soft); }
  .skipped button, .older {
    min-height: 2.5rem; padding: 0.3rem 0.8rem; border: 1px solid var(--edge); border-radius: 10px; background: none;
  }
  .older { width: 100%; margin-top: 0.4rem; color: var(--soft); }
`;

const ROWS = `
  ol { padding: 0; list-style: none; }
  .row {
    --hue: var(--accent);
    display: grid; grid-template-columns: 2.5rem minmax(0, 1fr) auto; gap: 0 0.8rem; align-items: start;
    padding: 0.65rem 0.3rem; min-height: 3.8rem;
  }
  li + li { border-top: 1px solid var(--line); }
  .warm { --hue: var(--warm); } .cool { --hue: var(--cool); } .grape { --hue: var(--grape); }
  .rose { --hue: var(--rose); } .soft { --hue: var(--soft); }
  .picture {
    position: relative; display: grid; grid-row: span 2; align-self: start; place-items: center;
    width: 2.5rem; height: 2.5rem; border-radius: 12px; color: var(--hue);
    background: color-mix(in srgb, var(--hue) 14%, transparent);
  }
  .picture svg { width: 1.35rem; height: 1.35rem; }
  .badge {
    position: absolute; right: -0.45rem; bottom: -0.4rem; min-width: 1.3rem; padding: 0 0.3rem;
    border: 2px solid var(--card); border-radius: 99px; background: var(--hue); color: var(--card);
    font-size: 0.72rem; font-weight: 700; line-height: 1.15rem; text-align: center; font-variant-numeric: tabular-nums;
  }
  .big .title { color: var(--hue); font-weight: 650; }
  .title { overflow-wrap: anywhere; }
  .row:not(:has(.detail)) > .title { grid-row: span 2; align-self: center; }
  time { padding-top: 0.15rem; color: var(--soft); font-size: 0.8rem; white-space: nowrap; text-align: right; }
  .detail { grid-column: 2 / -1; color: var(--soft); font-size: 0.875rem; overflow-wrap: anywhere; }
  .row:has(.five:not([hidden])) > .detail { grid-column: 2; }
  .five { grid-column: 3; grid-row: 2; justify-self: end; display: inline-flex; gap: 0.3rem; align-items: center; }
  .five svg { width: 1.1rem; height: 1.1rem; }
  span.five { color: var(--soft); font-size: 0.8rem; }
  button.five {
    min-width: 2.75rem; min-height: 2rem; padding: 0 0.55rem; justify-content: center;
    border: 1px solid var(--edge); border-radius: 99px; background: none; color: var(--soft); font-size: 0.8rem;
  }
  button.five:hover { border-color: var(--warm); color: var(--warm); }
  .five.moved svg { animation: clap 0.9s ease-in-out; }
  @keyframes clap { 30% { rotate: -18deg; scale: 1.25; } 60% { rotate: 12deg; scale: 1.15; } }
  button.five[aria-pressed="true"] {
    border-color: var(--warm); background: color-mix(in srgb, var(--warm) 14%, transparent); color: var(--warm);
    cursor: default;
  }
`;

const PILES = `
  summary { cursor: pointer; list-style: none; }
  summary::-webkit-details-marker { display: none; }
  summary .picture { box-shadow: -4px -4px 0 -1px color-mix(in srgb, var(--hue) 22%, var(--card)); }
  summary .title::after { content: " ▾"; color: var(--soft); }
  details[open] summary .title::after { content: " ▴"; }
  details ol { margin-left: 1rem; padding-left: 0.6rem; border-left: 2px solid var(--line); }
  .more { padding: 0.5rem 0.3rem; color: var(--soft); font-size: 0.875rem; }
  .fresh > * { animation: arrive 0.5s ease-out, settle 2.4s ease-out; }
  @keyframes arrive { from { opacity: 0; transform: translateY(-0.6rem); } }
  @keyframes settle { from { background: color-mix(in srgb, var(--hue, var(--accent)) 16%, transparent); } }
  @media (prefers-reduced-motion: reduce) { .fresh > *, .five.moved svg { animation: none; } }
`;

export const SHEET = new CSSStyleSheet();
SHEET.replaceSync(HUES + FRAME + ROWS + PILES);
