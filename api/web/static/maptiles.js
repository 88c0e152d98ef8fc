/** What is visible on the presence map: tiles with a version each, kept whole by the protocol's rules. */
export class MapTiles {
  #resolution = 0;
  #tiles = new Map(); // tile -> {version (null = wait for a whole one), cells: Map(cell -> count)}

  /** The gateway's answer to a viewport: from now on these tiles, each of which comes whole first. */
  show(resolution, tiles) {
    const before = this.#resolution === resolution ? this.#tiles : new Map();
    this.#resolution = resolution;
    this.#tiles = new Map(tiles.map((tile) => [tile, before.get(tile) ?? { version: null, cells: new Map() }]));
  }

  /** Takes one `map` message; true where something visible has changed. */
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

  /** {resolution, cells: Map(cell -> count)} of all visible tiles. */
  snapshot() {
    const cells = new Map();
    for (const tile of this.#tiles.values()) for (const [cell, count] of tile.cells) cells.set(cell, count);
    return { resolution: this.#resolution, cells };
  }
}
