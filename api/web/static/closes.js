// @ts-check
/** What a close code means to a client. */

export const CLOSE_NORMAL = 1000;
export const CLOSE_ABNORMAL = 1006; // no close frame came
export const CLOSE_TOKEN_EXPIRED = 4001;
export const CLOSE_BAD_TOKEN = 4500;
export const CLOSE_REVOKED = 4503;

const NEVER_AGAIN = new Set([CLOSE_NORMAL, 1002, 1003, 1007, 1009]);

/**
 * Whether a client may come back after this close code.
 * @param {number} code
 */
export function mayReturn(code) {
  return !NEVER_AGAIN.has(code) && !(code >= 4500 && code <= 4999);
}
