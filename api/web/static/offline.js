// @ts-check
/**
 * The page without a network: the service worker that keeps its files, and what people are told of it; and how a page
 * that stays open for days hears that there is a newer one.
 */
import { listen } from "./dom.js";
import { Timers } from "./timers.js";

const WORKER = "/static/service-worker.js";
const SERVED = "/config.json?now"; // past the worker, which knows no address with a question in it
const KEPT_AT = "X-Kept-At";
const LOOK_MS = 600_000; // from one look for a newer version to the next
const AGAIN_MS = 60_000; // where nobody answered
const SPREAD_MS = 20_000; // many pages come back at once where a gateway starts anew
const SAVED = "Workouts that you save are kept on this device and sent later.";

export class Offline {
  #notice;
  #reload;
  /** @type {Date | null} */
  #asOf = null;
  #away = false;
  #newer = false;
  #kept = false;
  #version = "";
  #timers = new Timers();

  /**
   * @param {HTMLElement} notice
   * @param {HTMLButtonElement} reload
   */
  constructor(notice, reload) {
    this.#notice = notice;
    this.#reload = reload;
    reload.addEventListener("click", () => location.reload());
    addEventListener("offline", () => this.#say({ away: true }));
    this.#say({ away: !navigator.onLine });
  }

  /**
   * A part of the page was answered by what is kept; whether it was, by the answer.
   * @param {Response} response
   */
  told(response) {
    this.#kept ||= response.headers.has(KEPT_AT);
    if (this.#kept) this.#say({ away: true });
    return response;
  }

  /**
   * What is shown is of then, until the server is heard: by a gateway that was there all the time it is not.
   * @param {Date} when
   */
  stale(when) {
    this.#asOf = when;
    this.#say({ away: true });
    this.#later(AGAIN_MS);
  }

  /**
   * Says so until the gateway is heard, and looks for a newer version each time that it is heard anew, when somebody
   * comes back to the page, and now and then.
   * @param {EventTarget} live  a LiveClient
   * @param {string} version  of this page
   */
  watch(live, version) {
    this.#version = version;
    let first = true;
    listen(live, "welcome", () => {
      this.#heard();
      // Not before the page is live: what is kept for later shall not make anybody wait now.
      if (first) navigator.serviceWorker?.register(WORKER, { scope: "/" }).catch(() => {}); // withheld by the browser
      if (!first || this.#kept) this.#soon();
      first = false;
    });
    document.addEventListener("visibilitychange", () => this.#soon());
    this.#later(LOOK_MS);
  }

  #heard() {
    this.#asOf = null;
    this.#say({ away: false });
  }

  #soon() {
    this.#timers.soon("soon", SPREAD_MS * Math.random(), () => this.#look());
  }

  /** @param {number} ms */
  #later(ms) {
    this.#timers.set("later", ms * (0.75 + Math.random() / 2), () => this.#look());
  }

  async #look() {
    this.#later(LOOK_MS);
    if (document.hidden) return; // `visibilitychange` goes on
    try {
      const { version } = await (await fetch(SERVED)).json();
      this.#heard();
      this.#say({ newer: version !== this.#version });
      if (this.#newer) await (await navigator.serviceWorker?.getRegistration())?.update();
    } catch {
      this.#later(AGAIN_MS);
    }
  }

  /** @param {{away?: boolean, newer?: boolean}} now */
  #say({ away = this.#away, newer = this.#newer }) {
    this.#away = away;
    this.#newer = newer;
    this.#reload.hidden = !newer || away;
    this.#notice.hidden = !away && !newer;
    const when = this.#asOf?.toLocaleString("en", { day: "numeric", month: "long", hour: "numeric", minute: "2-digit" });
    this.#notice.dataset.state = away ? "away" : newer ? "newer" : "";
    const words = /** @type {HTMLElement} */ (this.#notice.firstElementChild);
    words.textContent = away
      ? `No connection: this is what was known ${when ? `on ${when}` : "last"}. ${SAVED}`
      : "There is a new version of this page.";
  }
}
