// @ts-check
/**
 * <live-feed>: the events of one channel, newest first: a page of history, then what happens, without a gap or a
 * repeat, because the live stream starts at the position that the page was read at.
 *
 *   feed.follow({ client, channel, page: async (after) => connection, token })
 *
 * `page` answers {position, edges, pageInfo} as the API's feeds do. "row" is emitted for each live event.
 */
import { messageOf } from "./session.js";
import { ago, count, describe } from "./words.js";

const ROWS_MAX = 200;
const RELOAD_MS_MIN = 2_000;
const FAILED_RETRY_MS = 4_000;
const TIMES_EVERY_MS = 20_000;
const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {import("./documents.js").FeedPage} FeedPage
 * @typedef {import("./protocol.js").FeedEvent} FeedEvent
 *
 * @typedef {object} Source
 * @property {import("./client.js").LiveClient} client
 * @property {string} channel
 * @property {(after: string | null) => Promise<FeedPage>} page
 * @property {(expired: boolean) => Promise<string>} [token]
 */

export class LiveFeed extends HTMLElement {
  /** @type {Source | null} */
  #source = null;
  /** @type {import("./subscription.js").Subscription | null} */
  #subscription = null;
  /** @type {string | null} */
  #after = null;
  #run = 0; // of `follow` and of each loading; what belongs to an older one is dropped
  #loadedAt = 0;
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;
  #list = document.createElement("ol");
  #notice = document.createElement("p");
  #older = document.createElement("button");

  connectedCallback() {
    if (!this.#list.parentNode) {
      this.#list.className = "rows";
      this.#list.setAttribute("aria-live", "polite");
      this.#list.setAttribute("aria-relevant", "additions");
      this.#list.setAttribute("aria-label", this.getAttribute("label") ?? "Events");
      this.#notice.className = "notice";
      this.#notice.textContent = "Loading…";
      this.#older.type = "button";
      this.#older.className = "quiet older";
      this.#older.textContent = "Show older";
      this.#older.hidden = true;
      this.#older.addEventListener("click", () => this.#loadOlder());
      this.append(this.#notice, this.#list, this.#older);
    }
    this.#clock = setInterval(() => this.#tellTimes(), TIMES_EVERY_MS);
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    this.stop();
  }

  /**
   * Shows this channel from now on.
   * @param {Source} source
   */
  follow(source) {
    this.#subscription?.unsubscribe();
    this.#source = source;
    this.#load(source);
  }

  /** Shows nothing any more. */
  stop() {
    this.#run += 1;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    this.#list.replaceChildren();
    this.#older.hidden = true;
    delete this.dataset.state;
  }

  /** @param {Source} source */
  async #load(source) {
    const run = ++this.#run;
    this.#loadedAt = Date.now();
    let page;
    try {
      page = await source.page(null);
    } catch (error) {
      if (run !== this.#run) return;
      this.#say(messageOf(error));
      this.#later(FAILED_RETRY_MS, run);
      return;
    }
    if (run !== this.#run) return;
    this.#list.replaceChildren(...page.edges.map(({ node }) => this.#row(fromApi(node))));
    this.#pageEnds(page.pageInfo);
    this.#sayEmpty();
    this.#subscription = source.client.subscribe(source.channel, {
      since: page.position,
      token: source.token,
      event: (event, offset) => void (run === this.#run && this.#arrived(event, offset)),
      digest: (digest) => void (run === this.#run && this.#skipped(digest)),
      joined: () => void (run === this.#run && (this.dataset.state = "live")),
      lost: () => void (run === this.#run && this.#reload(run)),
      refused: (code) => void (run === this.#run && this.#say(`This feed cannot be followed (${code}).`)),
    });
  }

  /**
   * Too much was missed for the gateway: the page is read again, but not many times a second.
   * @param {number} run
   */
  #reload(run) {
    this.dataset.state = "loading";
    this.#later(Math.max(0, this.#loadedAt + RELOAD_MS_MIN - Date.now()) * (0.5 + Math.random()), run);
  }

  /**
   * @param {number} ms
   * @param {number} run
   */
  #later(ms, run) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (run === this.#run) this.#again();
    }, ms);
    this.#timers.add(timer);
  }

  #again() {
    this.#subscription?.unsubscribe();
    if (this.#source) this.#load(this.#source);
  }

  async #loadOlder() {
    if (!this.#source) return;
    const run = this.#run;
    this.#older.disabled = true;
    try {
      const page = await this.#source.page(this.#after);
      if (run !== this.#run) return;
      this.#list.append(...page.edges.map(({ node }) => this.#row(fromApi(node))));
      this.#pageEnds(page.pageInfo);
    } catch (error) {
      if (run === this.#run) this.#say(messageOf(error));
    } finally {
      this.#older.disabled = false;
    }
  }

  /** @param {FeedPage["pageInfo"]} pageInfo */
  #pageEnds({ endCursor, hasNextPage }) {
    this.#after = endCursor;
    this.#older.hidden = !hasNextPage || this.#list.children.length >= ROWS_MAX;
  }

  /**
   * @param {FeedEvent} event
   * @param {number} offset
   */
  #arrived(event, offset) {
    const row = this.#row(event);
    row.dataset.offset = String(offset);
    row.classList.add("fresh");
    this.#list.prepend(row);
    while (this.#list.children.length > ROWS_MAX) this.#list.lastElementChild?.remove();
    this.#sayEmpty();
    this.dispatchEvent(new CustomEvent("row", { detail: event }));
  }

  /** @param {import("./protocol.js").Digest} digest */
  #skipped({ from, to, events }) {
    for (const { event, offset } of events ?? []) this.#arrived(event, offset);
    const hidden = to - from + 1 - (events?.length ?? 0);
    if (hidden <= 0) return;
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `${count(hidden, "more event")}: show`;
    button.addEventListener("click", () => this.#again());
    row.append(button);
    this.#list.prepend(row);
  }

  /** @param {FeedEvent} event */
  #row(event) {
    const { icon, title, detail } = describe(event);
    const row = document.createElement("li");
    row.dataset.id = event.id;
    row.dataset.type = event.type;
    const time = document.createElement("time");
    time.dateTime = event.created_at;
    time.textContent = ago(event.created_at);
    time.title = new Date(event.created_at).toLocaleString("en");
    row.append(picture(icon), text("p", "title", title), time);
    if (detail) row.append(text("p", "detail", detail));
    return row;
  }

  #tellTimes() {
    for (const time of this.#list.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }

  #sayEmpty() {
    this.#say(this.#list.children.length ? "" : (this.getAttribute("empty") ?? "Nothing yet."));
  }

  /** @param {string} words */
  #say(words) {
    this.#notice.textContent = words;
    this.#notice.hidden = !words;
  }
}

/**
 * A node of the API's feed, named as the gateway names it.
 * @param {import("./documents.js").ApiEvent} node
 */
function fromApi({ createdAt, ...rest }) {
  return { ...rest, created_at: createdAt };
}

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} words
 */
function text(tag, className, words) {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = words;
  return element;
}

/** @param {string} name */
function picture(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

customElements.define("live-feed", LiveFeed);
