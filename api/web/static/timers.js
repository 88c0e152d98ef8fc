// @ts-check
/** Timers by name, one of each at most. */
export class Timers {
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #timers = new Map();

  /** @param {string} name */
  has(name) {
    return this.#timers.has(name);
  }

  /**
   * Runs after `ms`, instead of what was to run under this name.
   * @param {string} name
   * @param {number} ms
   * @param {() => void} run
   */
  set(name, ms, run) {
    this.clear(name);
    this.#timers.set(name, setTimeout(() => (this.#timers.delete(name), run()), ms));
  }

  /**
   * Runs once after `ms`, however often it is asked for meanwhile.
   * @param {string} name
   * @param {number} ms
   * @param {() => void} run
   */
  soon(name, ms, run) {
    if (!this.has(name)) this.set(name, ms, run);
  }

  /** @param {string} name */
  clear(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clearAll() {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
