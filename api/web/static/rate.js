// @ts-check
/** How many of something were told in the last minutes. Pure: whoever asks says when, in seconds. */

export const POINT_S = 10; // from point to point of a line
const POINTS = 30;

export class Rate {
  #told = new Uint32Array(POINT_S * POINTS); // by second, in a ring
  #second = 0;

  /**
   * @param {number} at
   * @param {number} some
   */
  add(at, some) {
    this.#pass(at);
    this.#told[this.#second % this.#told.length] += some;
  }

  /**
   * How many in so many seconds until now.
   * @param {number} at
   * @param {number} seconds
   */
  within(at, seconds) {
    this.#pass(at);
    let sum = 0;
    for (let back = 0; back < Math.min(seconds, this.#second + 1); back += 1) {
      sum += this.#told[(this.#second - back) % this.#told.length];
    }
    return sum;
  }

  /**
   * How many in every ten seconds of the last five minutes, oldest first; the last ones have only begun.
   * @param {number} at
   */
  line(at) {
    this.#pass(at);
    const open = (this.#second % POINT_S) + 1;
    const until = Array.from({ length: POINTS }, (_, n) => this.within(at, open + n * POINT_S));
    return until.map((sum, n) => sum - (until[n - 1] ?? 0)).reverse();
  }

  /** What fell out of the ring is forgotten. @param {number} at */
  #pass(at) {
    const second = Math.max(this.#second, Math.floor(at));
    const gone = Math.min(second - this.#second, this.#told.length);
    for (let one = 0; one < gone; one += 1) this.#told[(second - one) % this.#told.length] = 0;
    this.#second = second;
  }
}
