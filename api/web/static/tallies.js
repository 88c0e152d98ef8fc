// @ts-check
/**
 * How many high fives events have, moving while they are on screen. Of others' nobody is told live, and of one's own
 * whoever sent one, not for which rendition: so the API is asked, for the events on screen at once. A minute after the
 * last time, later and later while nothing moves or the API has no answer, and never while nobody looks; and soon where
 * somebody scrolls to what has not been counted for a minute.
 */
import { Timers } from "./timers.js";

const EVERY_MS = 60_000;
const EVERY_MS_MAX = 480_000;
const SOON_MS = 2_000;
const APART_MS = 10_000; // however often somebody applauds, or scrolls
const SETTLE_MS = 1_000;

/**
 * Milliseconds from one time to the next: around a minute, so that pages do not ask together.
 * @param {number} quiet  times in a row that told nothing new
 * @param {number} random in [0, 1)
 */
export const tallyMs = (quiet, random) => Math.min(EVERY_MS_MAX, EVERY_MS * 2 ** Math.min(quiet, 16)) * (0.75 + random / 2);

/** Asks for as long as its feed is on the page. */
export class Tallies {
  #feed;
  /** @type {(after: string | null) => Promise<import("./documents.js").Tally[]>} newest first */
  #ask;
  #asking = false;
  #timers = new Timers();
  #quiet = 0;
  #askedAt = -Infinity;
  /** @type {string | null | undefined} */
  #after;
  #seen = () => this.#soon();

  /**
   * @param {import("./feed.js").LiveFeed} feed
   * @param {import("./session.js").Session} session
   * @param {import("./documents.js").TallyDocument} query
   * @param {object} [variables]
   */
  constructor(feed, session, query, variables = {}) {
    this.#feed = feed;
    this.#ask = async (after) => (await session.graphql(query, { ...variables, after })).feed.edges.map(({ node }) => node);
    feed.addEventListener("row", (event) => {
      if (event instanceof CustomEvent && event.detail.type === "high_five") this.#soon();
    });
    feed.addEventListener("scrolled", () => this.#settle());
    document.addEventListener("visibilitychange", this.#seen);
    this.#next();
  }

  #settle() {
    this.#timers.soon("scrolled", SETTLE_MS, () => (this.#asking ? this.#settle() : this.#scrolled()));
  }

  #scrolled() {
    const before = performance.now() - EVERY_MS;
    if (this.#feed.onScreen.seen.some(({ countedAt = -Infinity }) => countedAt < before)) this.#soon();
  }

  #soon() {
    if (document.hidden) return;
    this.#quiet = 0;
    const wait = Math.max(0, this.#askedAt + APART_MS - performance.now()) + SOON_MS * (0.5 + Math.random());
    this.#timers.soon("soon", wait, () => this.#round());
  }

  #next() {
    this.#timers.set("next", tallyMs(this.#quiet, Math.random()), () => this.#round());
  }

  async #round() {
    if (!this.#feed.isConnected) {
      document.removeEventListener("visibilitychange", this.#seen);
      this.#timers.clearAll();
      return;
    }
    if (document.hidden) return; // `#seen` goes on
    if (this.#asking) {
      this.#soon();
      return;
    }
    this.#next();
    const { seen, after, sent } = this.#feed.onScreen;
    if (!seen.length) return;
    this.#quiet += 1;
    this.#askedAt = performance.now();
    this.#asking = true;
    const tallies = await this.#ask(after).catch(() => []);
    this.#asking = false;
    const moved = this.#feed.recount(tallies, sent);
    // Events that came live have no cursor: where many stand above the screen, each answer leads nearer to it.
    const short = tallies.length > 0 && after !== this.#after && !tallies.some(({ id }) => seen.some((one) => one.id === id));
    this.#after = after;
    if (short) this.#soon();
    if (!moved) return;
    this.#quiet = 0;
    this.#next();
  }
}
