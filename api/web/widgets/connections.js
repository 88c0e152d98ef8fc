// @ts-check
/**
 * The live connections of the widgets of a page: a feed and a map share one, a second map has another, since each
 * connection follows a channel and shows a part of the map once.
 */
import { LiveClient } from "../static/client.js";
import { reasonOf } from "./refusals.js";

/** Where this file comes from, and with it everything that is live. A bundle stands for the page's static files. */
export const SERVER = new URL("..", import.meta.url).href;

/**
 * @typedef {import("./refusals.js").Reason} Reason
 * @typedef {{rtUrl: string, mayConnect?: boolean | null}} Configuration
 */

/** A connection in the name of one token. Emits "refusal" (CustomEvent of a Reason, or of null: it is live). */
export class Connection extends EventTarget {
  /** @type {Set<string>} the kinds of widgets that use it */
  kinds = new Set();
  client;
  /** @type {Reason | null} */
  refusal = null;
  /** Settled by the first welcome. @type {Promise<void>} */
  opened;
  #ended = false; // the gateway has said so of the token
  #hosts = new Set([new URL(SERVER).hostname]);

  /** @param {string | null} token */
  constructor(token) {
    super();
    this.token = token;
    this.client = new LiveClient(() => this.#address(), { token: async (expired) => this.#shown(expired) });
    this.opened = new Promise((resolve) => {
      this.client.addEventListener("welcome", () => resolve(), { once: true });
    });
    this.client.addEventListener("welcome", () => this.#tell(null));
    this.client.addEventListener("state", (event) => {
      if (!(event instanceof CustomEvent) || event.detail.state !== "stopped") return;
      this.#tell(reasonOf(event.detail.code, token !== null, this.#ended) ?? this.refusal);
    });
    document.addEventListener("securitypolicyviolation", this.#violated);
    this.client.setPresence({ background: document.hidden });
    this.client.start();
  }

  close() {
    document.removeEventListener("securitypolicyviolation", this.#violated);
    this.client.stop();
  }

  /** Where the gateway is; throws while this page may not connect, or the server is away. */
  async #address() {
    let answer;
    try {
      answer = await fetch(new URL("config.json", SERVER), { credentials: "omit" });
    } catch (error) {
      if (this.refusal !== "policy") this.#tell("unreachable");
      throw error;
    }
    const { rtUrl, mayConnect } = /** @type {Configuration} */ (await answer.json());
    if (mayConnect === false) {
      this.#tell("origin");
      throw new Error("this origin may not connect");
    }
    this.#hosts.add(new URL(rtUrl).hostname);
    return rtUrl;
  }

  /** @param {boolean} expired */
  #shown(expired) {
    this.#ended ||= expired;
    return this.#ended ? null : this.token;
  }

  /** @param {SecurityPolicyViolationEvent} violation */
  #violated = ({ effectiveDirective, blockedURI }) => {
    if (effectiveDirective !== "connect-src") return;
    if (URL.canParse(blockedURI) && this.#hosts.has(new URL(blockedURI).hostname)) this.#tell("policy");
  };

  /** @param {Reason | null} refusal */
  #tell(refusal) {
    if (refusal === this.refusal) return;
    this.refusal = refusal;
    this.dispatchEvent(new CustomEvent("refusal", { detail: refusal }));
  }
}

/** @type {Set<Connection>} */
const open = new Set();

/**
 * A connection in the name of this token that no other widget of the kind uses.
 * @param {string} kind
 * @param {string | null} token
 */
export function lease(kind, token) {
  const shared = [...open].find((one) => one.token === token && !one.kinds.has(kind));
  const leased = shared ?? new Connection(token);
  leased.kinds.add(kind);
  open.add(leased);
  return leased;
}

/**
 * @param {Connection} leased
 * @param {string} kind
 */
export function giveBack(leased, kind) {
  leased.kinds.delete(kind);
  if (leased.kinds.size) return;
  open.delete(leased);
  leased.close();
}

for (const name of ["online", "offline"]) addEventListener(name, () => open.forEach(({ client }) => client.hurry()));
document.addEventListener("visibilitychange", () => {
  for (const { client } of open) {
    client.setPresence({ background: document.hidden });
    if (!document.hidden) client.hurry();
  }
});
