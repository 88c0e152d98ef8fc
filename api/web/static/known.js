// @ts-check
/** What was answered last, for when nobody answers: only what is everybody's, or made so. */
import { ApiError } from "./session.js";
import { Store } from "./store.js";

const AWAY = new Set(["NETWORK", "RETRY_LATER", "INTERNAL"]);
const KEPT_MS = 7 * 86_400_000; // what is older says nothing of today

/** @type {Store<{name: string, at: number, answer: unknown}>} */
const known = new Store("known");

/**
 * What `ask` answers; where no server can be reached, what it answered here before.
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} ask
 * @param {object} [options]
 * @param {(answer: T) => T} [options.public]  what of an answer is kept: nothing of a viewer
 * @param {(at: Date) => void} [options.stale]  told from when it is
 * @returns {Promise<T>}
 */
export async function lastKnown(name, ask, { public: tidy = (answer) => answer, stale = () => {} } = {}) {
  try {
    const answer = await ask();
    known.put({ name, at: Date.now(), answer: tidy(answer) }).catch(() => {});
    return answer;
  } catch (error) {
    if (!(error instanceof ApiError) || !AWAY.has(error.code)) throw error;
    const found = await known.get(name).catch(() => undefined);
    if (!found || Date.now() - found.at > KEPT_MS) throw error;
    stale(new Date(found.at));
    return /** @type {T} */ (found.answer);
  }
}
