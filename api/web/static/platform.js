// @ts-check
/** What a browser may withhold: storage where site data is blocked, locks and UUIDs on a page without HTTPS. */

/** Whether this browser keeps anything for the page; where not, a sign-in lasts as long as its access token. */
export const keepsData = (() => {
  try {
    return navigator.cookieEnabled !== false && Boolean(localStorage);
  } catch {
    return false;
  }
})();

/** A text that outlives the page where that is allowed, and else the page's own life. */
export class Note {
  #name;
  #place;
  /** @type {string | null} */
  #here = null;

  /**
   * @param {string} name
   * @param {() => Storage} [place]  localStorage for the browser's life, sessionStorage for a tab's
   */
  constructor(name, place = () => localStorage) {
    this.#name = name;
    this.#place = place;
  }

  get() {
    const kept = this.#stored((storage) => storage.getItem(this.#name));
    return kept === undefined ? this.#here : kept;
  }

  /** @param {string | null} text */
  set(text) {
    this.#here = text;
    this.#stored((storage) => (text === null ? storage.removeItem(this.#name) : storage.setItem(this.#name, text)));
  }

  /**
   * @template T
   * @param {(storage: Storage) => T} use
   * @returns {T | undefined} undefined where storage is withheld
   */
  #stored(use) {
    try {
      return use(this.#place());
    } catch {
      return undefined;
    }
  }
}

/** A random UUID (version 4, RFC 9562). crypto.randomUUID is there only over HTTPS and on this machine. */
export function randomUuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * Runs `work` in one tab at a time, where the browser has locks for this page; else at once.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(name, work) {
  let begun = false;
  const once = () => {
    begun = true;
    return work();
  };
  try {
    return await (navigator.locks ? navigator.locks.request(name, once) : once());
  } catch (error) {
    if (begun) throw error;
    return once(); // locks are refused where site data is blocked
  }
}
