// @ts-check
/** What a tab keeps over a reload: where somebody is on the map, whether they train, and what of the map they look at. */
import { Note } from "./platform.js";

const VIEW = new Note("musclemap.view", () => sessionStorage);
const HERE = new Note("musclemap.here", () => sessionStorage);

/**
 * @typedef {{lat: number, lng: number, zoom: number}} View
 * @typedef {{lat: number, lng: number}} Place
 * @typedef {{user: string, place?: Place, training?: boolean, exercise?: string}} Here
 */

/** @returns {View | null} */
export function view() {
  const { lat, lng, zoom } = read(VIEW);
  return [lat, lng, zoom].every(Number.isFinite) ? { lat, lng, zoom } : null;
}

/** @param {View} looked  at */
export function keepView(looked) {
  VIEW.set(JSON.stringify(looked));
}

/**
 * Of this user; of anybody else nothing.
 * @param {string} user
 * @returns {Here}
 */
export function here(user) {
  const kept = read(HERE);
  return kept.user === user ? kept : { user };
}

/** @param {Here | null} state  null: nobody is signed in any more */
export function keepHere(state) {
  HERE.set(state && JSON.stringify(state));
}

/** @param {Note} note */
function read(note) {
  try {
    return JSON.parse(note.get() ?? "{}") ?? {};
  } catch {
    return {};
  }
}
