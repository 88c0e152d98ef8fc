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

/** A mark that outlives the page where that is allowed, and else the page's own life. */
export class Mark {
  #name;
  #here = false;

  /** @param {string} name */
  constructor(name) {
    this.#name = name;
  }

  get() {
    return this.#stored((storage) => storage.getItem(this.#name) !== null) ?? this.#here;
  }

  /** @param {boolean} on */
  set(on) {
    this.#here = on;
    this.#stored((storage) => (on ? storage.setItem(this.#name, "1") : storage.removeItem(this.#name)));
  }

  /**
   * @template T
   * @param {(storage: Storage) => T} use
   * @returns {T | undefined} undefined where storage is withheld
   */
  #stored(use) {
    try {
      return use(localStorage);
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
