// @ts-check
/**
 * <live-feed>: the events of one channel, newest first: pages of history, then what happens, without a gap or a
 * repeat, because the live stream starts at the position that the page was read at.
 *
 *   <live-feed label="Community events" empty="Quiet so far." keep="200"></live-feed>
 *   feed.follow({ client, channel, page: async (after) => connection, token, highFive: async (eventId) => answer })
 *
 * `page` answers {position, edges, pageInfo} as the API's feeds do. "row" is emitted for each live event, "skipped" with
 * the counts, by type, of those that do not come, "scrolled" when other events are in sight. Whoever reads further down
 * is not disturbed: what happens meanwhile waits behind a button. It scrolls in itself, and holds no more rows than
 * `keep`, however far somebody reads.
 */
import { part } from "./dom.js";
import { FeedList } from "./feedlist.js";
import { SHEET } from "./feedlook.js";
import { count, messageOf, ofTypes } from "./words.js";

const KEPT = 200;
const KEPT_MIN = 60; // several screens: what is shown must not have to go
const UNASKED_MAX = 3; // pages that fill the place before anybody scrolls
const FLUSH_MS = 100; // what comes within makes one change of the page
const TOP_PX = 8;
const RELOAD_MS_MIN = 2_000;
const FAILED_RETRY_MS = 4_000;
const TIMES_EVERY_MS = 20_000;
const AHEAD = "300px"; // older events are asked for before one gets there

/**
 * @typedef {import("./documents.js").FeedPage} FeedPage
 * @typedef {import("./protocol.js").FeedEvent} FeedEvent
 *
 * @typedef {object} Source
 * @property {import("./client.js").LiveClient} client
 * @property {string} channel
 * @property {(after: string | null) => Promise<FeedPage>} page
 * @property {(expired: boolean) => Promise<string>} [token]
 * @property {(eventId: string) => Promise<{highFives: number}>} [highFive] where the reader may send some
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
  /** @type {FeedEvent[]} what has come and is not shown yet, oldest first */
  #waiting = [];
  #waitingCount = 0; // also of those that are too many to keep
  #flushing = false;
  #untold = 0; // to a screen reader
  #sent = 0; // high fives
  /** @type {Record<string, number>} by type, what digests skipped */
  #skippedCounts = {};
  #list = new FeedList(KEPT);
  #scroller = part("div", "scroller");
  #skippedRow = part("div", "skipped");
  #notice = part("p", "notice");
  #told = part("p", "unseen");
  #pill = button("pill", () => this.#toTop());
  #older = button("older", () => this.#loadOlder());
  #unasked = 0;
  #observer = new IntersectionObserver(([end]) => end.isIntersecting && this.#fill(), {
    root: this.#scroller,
    rootMargin: AHEAD,
  });

  connectedCallback() {
    if (!this.shadowRoot) this.#build(this.attachShadow({ mode: "open" }));
    this.#clock = setInterval(this.#tick, TIMES_EVERY_MS);
    document.addEventListener("visibilitychange", this.#tick); // a page in the background is told the time late
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    document.removeEventListener("visibilitychange", this.#tick);
    this.stop();
  }

  /**
   * Shows this channel from now on.
   * @param {Source} source
   */
  follow(source) {
    this.#subscription?.unsubscribe();
    this.#source = source;
    this.#list.most = Math.max(KEPT_MIN, Number(this.getAttribute("keep")) || KEPT);
    this.#list.applaud = source.highFive ? (event) => this.#applaud(event) : null;
    this.#load(source);
  }

  /** Shows nothing any more. */
  stop() {
    this.#run += 1;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    this.#clear();
    this.#pageEnds({ endCursor: null, hasNextPage: false });
    delete this.dataset.state;
  }

  /** Of the events on screen, and since when: what `recount` is to be told of. Nothing while it is not live. */
  get onScreen() {
    const { top, bottom } = this.#scroller.getBoundingClientRect();
    const found = this.#list.between(Math.max(0, top), Math.min(innerHeight, bottom));
    return { ...found, seen: this.dataset.state === "live" ? found.seen : [], sent: this.#sent };
  }

  /**
   * Shows how many high fives events have by now; whether that is news. What was asked for before somebody here sent one
   * is none.
   * @param {import("./documents.js").Tally[]} tallies
   * @param {number} sent  as `onScreen` said
   */
  recount(tallies, sent) {
    return sent === this.#sent && this.#list.recount(tallies);
  }

  /** @param {ShadowRoot} root */
  #build(root) {
    root.adoptedStyleSheets = [SHEET];
    this.#scroller.tabIndex = 0; // what scrolls must be reached by keys
    this.#scroller.setAttribute("role", "group");
    this.#scroller.setAttribute("aria-label", this.getAttribute("label") ?? "Events");
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#told.setAttribute("role", "status");
    this.#notice.setAttribute("role", "status");
    this.#notice.textContent = "Loading…";
    this.#older.textContent = "Show older";
    for (const one of [this.#older, this.#pill, this.#skippedRow]) one.hidden = true;
    this.#scroller.append(this.#skippedRow, this.#list.element, this.#older);
    root.append(this.#pill, this.#notice, this.#scroller, this.#told);
    this.#observer.observe(this.#older);
  }

  // --- pages of history

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
      this.#later(FAILED_RETRY_MS, run, () => this.#again());
      return;
    }
    if (run !== this.#run) return;
    this.#clear();
    this.#list.addOlder(page.edges.map(({ node }) => fromApi(node)));
    this.#pageEnds(page.pageInfo);
    this.#scroller.scrollTop = 0;
    this.#sayEmpty();
    this.#subscription = source.client.subscribe(source.channel, {
      since: page.position,
      token: source.token,
      event: (event) => void (run === this.#run && this.#arrived(event)),
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
    const wait = Math.max(0, this.#loadedAt + RELOAD_MS_MIN - Date.now()) * (0.5 + Math.random());
    this.#later(wait, run, () => this.#again());
  }

  /**
   * @param {number} ms
   * @param {number} run
   * @param {() => void} act
   */
  #later(ms, run, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (run === this.#run) act();
    }, ms);
    this.#timers.add(timer);
  }

  #again() {
    this.#subscription?.unsubscribe();
    if (this.#source) this.#load(this.#source);
  }

  /** The end is in sight. */
  #fill() {
    if (this.#unasked >= UNASKED_MAX) return;
    this.#unasked += 1;
    this.#loadOlder();
  }

  async #loadOlder() {
    const button = /** @type {HTMLButtonElement} */ (this.#older);
    if (!this.#source || button.disabled || button.hidden) return;
    const run = this.#run;
    button.disabled = true;
    try {
      const page = await this.#source.page(this.#after);
      if (run !== this.#run) return;
      this.#holdingStill(() => this.#list.addOlder(page.edges.map(({ node }) => fromApi(node))));
      this.#pageEnds(page.pageInfo);
      this.#showPill();
      this.#observer.unobserve(button); // it tells again where the button still is in sight
      this.#observer.observe(button);
    } catch (error) {
      if (run === this.#run) this.#say(messageOf(error));
    } finally {
      button.disabled = false;
    }
  }

  /**
   * What is read stays where it is while rows above it go.
   * @param {() => void} change
   */
  #holdingStill(change) {
    const row = this.#list.element.lastElementChild;
    const before = row?.getBoundingClientRect().top ?? 0;
    change();
    if (row?.isConnected) this.#scroller.scrollTop += row.getBoundingClientRect().top - before;
  }

  /** @param {FeedPage["pageInfo"]} pageInfo */
  #pageEnds({ endCursor, hasNextPage }) {
    this.#after = endCursor;
    this.#older.hidden = !hasNextPage;
  }

  // --- what happens

  /** @param {FeedEvent} event */
  #arrived(event) {
    this.#waiting.push({ ...event, heardAt: Date.now(), countedAt: performance.now() });
    this.#waitingCount += 1;
    if (this.#waiting.length > this.#list.most) this.#waiting.shift();
    this.dispatchEvent(new CustomEvent("row", { detail: event }));
    if (this.#flushing) return;
    this.#flushing = true;
    this.#later(FLUSH_MS, this.#run, () => this.#flush());
  }

  #flush() {
    this.#flushing = false;
    if (this.#atTop && this.#waiting.length === this.#waitingCount) {
      this.#list.add(this.#waiting);
      this.#untold += this.#waitingCount;
      this.#waiting = [];
      this.#waitingCount = 0;
      this.#sayEmpty();
    } else if (this.#atTop) this.#reload(this.#run); // they are too many to show one after the other
    this.#showPill();
  }

  /** @param {import("./protocol.js").Digest} digest */
  #skipped({ counts, events }) {
    const more = { ...counts };
    for (const { event } of events ?? []) {
      this.#arrived(event);
      more[event.type] = (more[event.type] ?? 0) - 1;
    }
    for (const [type, number] of Object.entries(more)) {
      if (number > 0) this.#skippedCounts[type] = (this.#skippedCounts[type] ?? 0) + number;
    }
    this.#tellSkipped();
    this.dispatchEvent(new CustomEvent("skipped", { detail: more }));
  }

  /** One row for all that was skipped since the page was read. */
  #tellSkipped() {
    const all = Object.values(this.#skippedCounts).reduce((sum, number) => sum + number, 0);
    this.#skippedRow.hidden = all === 0;
    const words = document.createElement("p");
    const types = document.createElement("span");
    words.textContent = `${count(all, "more event")} went by `;
    types.textContent = ofTypes(this.#skippedCounts);
    words.append(types);
    const show = button("", () => this.#again());
    show.textContent = "Show the newest";
    this.#skippedRow.replaceChildren(words, show);
  }

  // --- where somebody reads

  get #atTop() {
    return this.#scroller.scrollTop <= TOP_PX && !this.#list.cut;
  }

  #scrolled() {
    this.#unasked = 0;
    this.dispatchEvent(new Event("scrolled"));
    if (this.#atTop && this.#waitingCount) this.#flush();
    else this.#showPill();
  }

  #showPill() {
    this.#pill.hidden = !this.#waitingCount && !this.#list.cut;
    this.#pill.textContent = this.#waitingCount ? count(this.#waitingCount, "new event") : "Back to the newest";
  }

  #toTop() {
    this.#scroller.focus({ preventScroll: true }); // the button goes
    if (this.#list.cut) this.#again();
    else this.#scroller.scrollTop = 0;
    this.#scrolled();
  }

  // --- words

  /** @param {FeedEvent} event */
  async #applaud(event) {
    try {
      const answer = await this.#source?.highFive?.(event.id);
      if (!answer) return false;
      this.#sent += 1;
      event.highFives = answer.highFives;
      event.highFived = true;
      this.#sayEmpty();
      return true;
    } catch (error) {
      this.#say(messageOf(error));
      return false;
    }
  }

  #tick = () => {
    this.#list.tellTimes();
    if (this.#untold) this.#told.textContent = count(this.#untold, "new event");
    this.#untold = 0;
  };

  #clear() {
    this.#list.clear();
    this.#waiting = [];
    this.#waitingCount = 0;
    this.#flushing = false;
    this.#skippedCounts = {};
    this.#unasked = 0;
    this.#tellSkipped();
    this.#showPill();
  }

  #sayEmpty() {
    this.#say(this.#list.rows ? "" : (this.getAttribute("empty") ?? "Nothing yet."));
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
  return { ...rest, created_at: createdAt, countedAt: performance.now() };
}

/**
 * @param {string} name
 * @param {() => void} pressed
 */
function button(name, pressed) {
  const made = part("button", name);
  made.setAttribute("type", "button");
  made.addEventListener("click", pressed);
  return made;
}

customElements.define("live-feed", LiveFeed);
