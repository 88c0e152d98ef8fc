// @ts-check
/** How long to wait before trying again. One rule for every way back: full jitter, base 1 s, cap 30 s. */

const BASE_MS = 1_000;
const CAP_MS = 30_000;

/**
 * Milliseconds before attempt number `attempt` (0 = the first after a failure); `random` is in [0, 1).
 * @param {number} attempt
 * @param {number} random
 */
export function backoffMs(attempt, random) {
  return random * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 16));
}
