// @ts-check
/**
 * What a widget says where it cannot be live: what is wrong, and which setting makes it right. Pure.
 *
 * @typedef {"unreachable" | "policy" | "origin" | "missing" | "wrong" | "ended" | "revoked"} Reason
 */
import { CLOSE_BAD_TOKEN, CLOSE_REVOKED } from "../static/closes.js";

/** @type {Record<Reason, (page: string, server: string) => string>} */
const WORDS = {
  unreachable: (_, server) => `${server} cannot be reached. It is tried again.`,
  policy: (_, server) =>
    `This page's Content-Security-Policy forbids it: connect-src must name ${server} and ${socketsOf(server)}, or where the gateway is.`,
  origin: (page, server) =>
    `Pages of ${page} may not connect to ${server}. Whoever runs it allows them by a widget token ` +
    `(python -m api.apps widget-token --origin ${page}), or names ${page} in ALLOWED_ORIGINS.`,
  missing: (page) => `Pages of ${page} need a widget token: give it to one widget of the page as its attribute token.`,
  wrong: (page) =>
    `The widget token is not one for pages of ${page}. A token is made for one origin: ` +
    `python -m api.apps widget-token --origin ${page}`,
  ended: (page) => `The widget token has ended. A new one: python -m api.apps widget-token --origin ${page}`,
  revoked: (page) => `The widget token was taken back. A new one: python -m api.apps widget-token --origin ${page}`,
};

/**
 * @param {Reason} reason
 * @param {string} page  the origin of the page
 * @param {string} server  the address that widgets come from
 */
export const wordsOf = (reason, page, server) => WORDS[reason](page, new URL(server).origin);

/**
 * Why the gateway closed for good; null where it was for another reason than who asks.
 * @param {number | undefined} code
 * @param {boolean} shown  whether a token was shown
 * @param {boolean} ended  whether the gateway has said that it has ended
 * @returns {Reason | null}
 */
export function reasonOf(code, shown, ended) {
  if (code === CLOSE_REVOKED) return "revoked";
  if (code !== CLOSE_BAD_TOKEN) return null;
  return ended ? "ended" : shown ? "wrong" : "missing";
}

/** @param {string} server */
const socketsOf = (server) => server.replace(/^http/, "ws");
