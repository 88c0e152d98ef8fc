// @ts-check
/** What the browser keeps for the page in IndexedDB. Each call rejects where that is withheld, full or broken. */
const NAME = "musclemap";
const VERSION = 1;
const STORES = { outbox: "key", known: "name" };

/** @type {Promise<IDBDatabase> | null} */
let opening = null;

/**
 * Records of one kind, by the field that names them.
 * @template {object} T
 */
export class Store {
  #name;

  /** @param {keyof typeof STORES} name */
  constructor(name) {
    this.#name = name;
  }

  /** @returns {Promise<T[]>} */
  all() {
    return this.#run("readonly", (store) => store.getAll());
  }

  /**
   * @param {string} key
   * @returns {Promise<T | undefined>}
   */
  get(key) {
    return this.#run("readonly", (store) => store.get(key));
  }

  /**
   * Durable when this resolves.
   * @param {T} record
   */
  async put(record) {
    await this.#run("readwrite", (store) => store.put(record));
  }

  /** @param {string} key */
  async delete(key) {
    await this.#run("readwrite", (store) => store.delete(key));
  }

  /**
   * Changes a record that is still there; whoever has deleted it meanwhile is right.
   * @param {string} key
   * @param {Partial<T>} changes
   */
  async change(key, changes) {
    await this.#run("readwrite", (store) => {
      const asked = store.get(key);
      asked.addEventListener("success", () => asked.result && store.put({ ...asked.result, ...changes }));
      return asked;
    });
  }

  /**
   * @template R
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<R>} use
   * @returns {Promise<R>}
   */
  async #run(mode, use) {
    const database = await open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(this.#name, mode, { durability: "strict" });
      const request = use(transaction.objectStore(this.#name));
      transaction.addEventListener("complete", () => resolve(request.result));
      transaction.addEventListener("abort", () => reject(transaction.error));
    });
  }
}

/** The database, opened once; a page that is in the way of a newer one lets go of it. */
function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION);
    request.addEventListener("upgradeneeded", () => {
      for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
    });
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("success", () => {
      const letGo = () => (opening = null);
      request.result.addEventListener("close", letGo);
      request.result.addEventListener("versionchange", () => {
        request.result.close();
        letGo();
      });
      resolve(request.result);
    });
  });
  opening.catch(() => (opening = null));
  return opening;
}
