// @ts-check
/**
 * The page without a network: the service worker that keeps its files, and what people are told of it; and how a page
 * that stays open for days hears that there is a newer one.
 */
import { listen } from "./dom.js";

const WORKER = "/static/service-worker.js";
const KEPT_AT = "X-Kept-At";
const LOOK_MS_MIN = 60_000; // between two looks for a newer version
const SAVED = "Workouts that you save are kept on this device and sent later.";

export class Offline {
  #notice;
  #reload;
  /** @type {Date | null} */
  #asOf = null;
  #away = false;
  #newer = false;
  #looked = 0;

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
    if (response.headers.has(KEPT_AT)) this.#say({ away: true });
    return response;
  }

  /**
   * What is shown is of then.
   * @param {Date} when
   */
  stale(when) {
    this.#asOf = when;
    this.#say({ away: true });
  }

  /**
   * Says so until the gateway is heard, and looks for a newer version whenever it is.
   * @param {EventTarget} live  a LiveClient
   */
  watch(live) {
    listen(live, "welcome", () => {
      this.#asOf = null;
      this.#say({ away: false });
    });
    let controlled = Boolean(navigator.serviceWorker?.controller);
    navigator.serviceWorker?.addEventListener("controllerchange", () => {
      this.#say({ newer: controlled }); // the first worker is no newer one
      controlled = true;
    });
    listen(live, "welcome", () => this.#look());
  }

  async #look() {
    const now = performance.now();
    if (!navigator.serviceWorker || (this.#looked && now < this.#looked + LOOK_MS_MIN)) return;
    const first = !this.#looked;
    this.#looked = now;
    try {
      // Not before the page is live: what is kept for later shall not make anybody wait now.
      const registration = await navigator.serviceWorker.register(WORKER, { scope: "/" });
      if (!first) await registration.update();
    } catch {
      // withheld by the browser, or the server is away again: the page is as good as without
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
