// @ts-check
/**
 * Workouts between "Save" and the server's word: kept on this device, each with its idempotency key, before anything is
 * sent, and until it is known what became of them. So a tab that is killed, an answer that is lost and a second tab log
 * none of them twice, and lose none.
 *
 * Emits "change" whenever what waits has changed, in this tab or another. An entry is its user's: nobody else sees or
 * sends it, and it outlives a sign-out.
 */
import { backoffMs } from "./backoff.js";
import { SYNC_WORKOUTS } from "./documents.js";
import { exclusively } from "./platform.js";
import { ApiError, messageOf } from "./session.js";
import { Store } from "./store.js";

const NAME = "musclemap.outbox";
const BATCH_MAX = 50; // the server takes 100, of a quarter of a megabyte ...
const BATCH_CHARS_MAX = 60_000; // ... and a character of a note may be four bytes
const AGAIN = new Set(["NETWORK", "RETRY_LATER", "INTERNAL", "IDEMPOTENCY_IN_PROGRESS", "RATE_LIMITED"]);

/**
 * @typedef {object} Entry
 * @property {string} key  the idempotency key
 * @property {string} user
 * @property {number} at  when it was saved
 * @property {object} input  LogWorkoutInput
 * @property {string} refused  why the server does not take it; empty while it waits
 */

/**
 * Whether nobody knows yet what became of a request that ended so.
 * @param {unknown} error
 */
export const isOpen = (error) => error instanceof ApiError && AGAIN.has(error.code);

export class Outbox extends EventTarget {
  #session;
  /** @type {Store<Entry>} */
  #store = new Store("outbox");
  /** @type {Set<string>} keys that the form is sending itself */
  #apart = new Set();
  /** @type {Promise<number> | null} */
  #syncing = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #attempt = 0;
  #tabs = "BroadcastChannel" in globalThis ? new BroadcastChannel(NAME) : null;

  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.#session = session;
    this.#tabs?.addEventListener("message", () => this.dispatchEvent(new Event("change")));
  }

  /**
   * Keeps a workout that is about to be sent; whether it is kept: where the browser keeps nothing, it is not.
   * @param {string} key
   * @param {object} input
   */
  async keep(key, input) {
    const user = this.#session.user?.id;
    if (!user) return false;
    this.#apart.add(key);
    try {
      await this.#store.put({ key, user, at: Date.now(), input, refused: "" });
      return true;
    } catch {
      this.#apart.delete(key);
      return false;
    }
  }

  /**
   * It is known what became of it, or its owner does not want it any more.
   * @param {string} key
   */
  async drop(key) {
    this.#apart.delete(key);
    await this.#store.delete(key).catch(() => {});
    this.#changed();
  }

  /**
   * Nobody knows what became of it: it is sent again, by its key, until somebody does.
   * @param {string} key
   */
  async leave(key) {
    this.#apart.delete(key);
    navigator.storage?.persist?.().catch(() => {}); // it must not go when the disk is full
    this.#changed();
    this.#later();
  }

  /**
   * One that was refused waits again.
   * @param {string} key
   */
  async again(key) {
    await this.#store.change(key, { refused: "" });
    this.#changed();
    await this.sync();
  }

  /**
   * Of who is signed in, oldest first, without what is being sent for the first time.
   * @returns {Promise<Entry[]>}
   */
  async entries() {
    const user = this.#session.user?.id;
    if (!user) return [];
    const all = await this.#store.all().catch(() => []);
    return all.filter((one) => one.user === user && !this.#apart.has(one.key)).sort((a, b) => a.at - b.at);
  }

  /** Sends what waits, in one tab at a time; how many workouts the server has taken. It never rejects. */
  sync() {
    clearTimeout(this.#timer);
    this.#syncing ??= exclusively(NAME, () => this.#sendAll())
      .catch((error) => {
        if (isOpen(error)) this.#later();
        return 0; // signed out meanwhile, or withheld by the browser: it waits for the next occasion
      })
      .finally(() => {
        this.#syncing = null;
        this.#changed();
      });
    return this.#syncing;
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.sync(), backoffMs((this.#attempt += 1), Math.random()));
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
    this.#tabs?.postMessage("");
  }

  async #sendAll() {
    let taken = 0;
    const user = this.#session.user?.id;
    const waiting = (await this.entries()).filter(({ refused }) => !refused);
    for (const batch of batches(waiting)) taken += await this.#send(batch, user);
    this.#attempt = 0;
    return taken;
  }

  /**
   * Throws what may be otherwise later; what is refused for good is kept with the reason.
   * @param {Entry[]} batch
   * @param {string | undefined} user
   * @returns {Promise<number>}
   */
  async #send(batch, user) {
    const inputs = batch.map(({ key, input }) => ({ idempotencyKey: key, workout: input }));
    let results;
    try {
      ({ syncWorkouts: results } = await this.#session.graphql(SYNC_WORKOUTS, { inputs }, user));
    } catch (error) {
      if (isOpen(error) || (error instanceof ApiError && error.code === "UNAUTHENTICATED")) throw error;
      if (batch.length === 1) return this.#refuse(batch[0].key, messageOf(error));
      // One of them is no workout at all, and the server read none: alone, each has an answer of its own.
      let taken = 0;
      for (const one of batch) taken += await this.#send([one], user);
      return taken;
    }
    let taken = 0;
    let later = null;
    for (const { idempotencyKey: key, error } of results) {
      if (!error) {
        await this.#store.delete(key);
        taken += 1;
      } else if (AGAIN.has(error.code)) later = new ApiError(error.code, error.message, error.statusCode);
      else await this.#refuse(key, error.message);
    }
    this.#changed();
    if (later) throw later;
    return taken;
  }

  /**
   * @param {string} key
   * @param {string} reason
   */
  async #refuse(key, reason) {
    await this.#store.change(key, { refused: reason });
    return 0;
  }
}

/**
 * In their order, each within what a request may be.
 * @param {Entry[]} entries
 */
export function batches(entries) {
  /** @type {Entry[][]} */
  const made = [];
  let room = 0;
  for (const one of entries) {
    const chars = JSON.stringify(one.input).length;
    if (chars > room || (made.at(-1)?.length ?? BATCH_MAX) >= BATCH_MAX) {
      made.push([]);
      room = BATCH_CHARS_MAX;
    }
    made.at(-1)?.push(one);
    room -= chars;
  }
  return made;
}
