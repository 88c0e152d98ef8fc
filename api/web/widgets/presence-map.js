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
  live-map { height: 100%; }
  .refusal { position: absolute; z-index: 1; inset: 0.7rem 0.7rem auto; }
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
