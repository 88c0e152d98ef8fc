// @ts-check
/**
 * @typedef {Map<string, number>} Cells  by H3 index, how many people
 * @typedef {{resolution: number, cells: Cells}} Shown
 * @typedef {{version: number | null, cells: Cells}} Tile  version null = wait for a whole one
 */

/** What is visible on the presence map: tiles with a version each, kept whole by the protocol's rules. */
export class MapTiles {
  #resolution = 0;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();

  /**
   * The gateway's answer to a viewport: from now on these tiles, each of which comes whole first.
   * @param {number} resolution
   * @param {string[]} tiles
   */
  show(resolution, tiles) {
    const before = this.#resolution === resolution ? this.#tiles : null;
    this.#resolution = resolution;
    this.#tiles = new Map(tiles.map((tile) => [tile, before?.get(tile) ?? { version: null, cells: new Map() }]));
  }

  /**
   * Takes one `map` message; true where something visible has changed.
   * @param {import("./protocol.js").MapChange} change
   */
  receive({ tile, version, whole, resolution, cells }) {
    const state = this.#tiles.get(tile);
    if (!state || resolution !== this.#resolution) return false;
    if (whole) state.cells = new Map(cells.filter(([, count]) => count > 0));
    else {
      if (state.version === null || version <= state.version) return false;
      if (version !== state.version + 1) {
        state.version = null; // a change is missing: what is shown stays until the next whole one
        return false;
      }
      for (const [cell, count] of cells) {
        if (count > 0) state.cells.set(cell, count);
        else state.cells.delete(cell);
      }
    }
    state.version = version;
    return true;
  }

  /**
   * All visible tiles as one.
   * @returns {Shown}
   */
  snapshot() {
    /** @type {Cells} */
    const cells = new Map();
    for (const tile of this.#tiles.values()) for (const [cell, count] of tile.cells) cells.set(cell, count);
    return { resolution: this.#resolution, cells };
  }
}
