// @ts-check
/**
 * <presence-map>: where people are, by area, live.
 *
 * Attributes: token. Its colours are the --map-… of the page's tokens.
 */
import { listen } from "../static/dom.js";
import { PresenceMap } from "../static/map.js";
import { Widget, sheetOf } from "./widget.js";

const LOOK = sheetOf(`
  :host { height: 24rem; }
  live-map { position: relative; display: block; height: 100%; background: var(--map-sea); font: 400 var(--text) / 1.5 var(--sans); }
  canvas { display: block; width: 100%; height: 100%; cursor: grab; touch-action: none; }
  .refusal { position: absolute; z-index: 1; inset: 0.7rem 0.7rem auto; }
  .caption {
    position: absolute; bottom: 0.7rem; left: 0.8rem; max-width: calc(100% - 5rem); padding: 0.15rem 0.6rem;
    border-radius: var(--radius-small); background: color-mix(in srgb, var(--card) 82%, transparent);
    color: var(--soft); font-size: var(--text-small); pointer-events: none;
  }
  .zoom { position: absolute; right: 0.7rem; bottom: 0.7rem; display: grid; gap: 0.35rem; }
  .zoom button {
    width: 2.4rem; height: 2.4rem; padding: 0; border: 1px solid var(--edge); border-radius: var(--radius-small);
    background: var(--raised); color: var(--ink); font-size: 1.2rem; line-height: 1; cursor: pointer;
  }
`);

/**
 * @typedef {import("./connections.js").Connection} Connection
 * @typedef {import("../static/protocol.js").Viewport} Viewport
 */

export class PresenceMapWidget extends Widget {
  #map = new PresenceMap();
  /** @type {import("../static/client.js").LiveClient | null} */
  #client = null;
  /** @type {Viewport | null} */
  #viewport = null;
  /** @param {Event} event */
  #shown = (event) => void (event instanceof CustomEvent && this.#map.show(event.detail));

  /** @param {ShadowRoot} root */
  build(root) {
    root.adoptedStyleSheets.push(LOOK);
    listen(this.#map, "viewport", (/** @type {Viewport} */ viewport) => {
      this.#viewport = viewport;
      this.#client?.setViewport(viewport);
    });
    root.append(this.#map);
  }

  /** @param {Connection} connection */
  attach({ client }) {
    this.#client = client;
    client.addEventListener("map", this.#shown);
    if (this.#viewport) client.setViewport(this.#viewport);
  }

  detach() {
    this.#client?.removeEventListener("map", this.#shown);
    this.#client?.setViewport(null);
    this.#client = null;
  }
}

customElements.define("presence-map", PresenceMapWidget);
