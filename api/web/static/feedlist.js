// @ts-check
/** The list of a feed: its events in piles, each pile as the rows that tell it, and never more than `most` rows (from `clear` on). */
import { renewFive, renewPile, rowOf, rowOfPile } from "./feedrow.js";
import { Piles, isOne } from "./piles.js";
import { ago } from "./words.js";

/**
 * @typedef {import("./protocol.js").FeedEvent} FeedEvent
 * @typedef {import("./piles.js").Pile} Pile
 */

export class FeedList {
  element = document.createElement("ol");
  /** @type {import("./feedrow.js").Applaud | null} */
  applaud = null;
  /** Whether newer events than those that are shown had to go. */
  cut = false;
  most;
  #piles;
  /** @type {WeakMap<FeedEvent, HTMLElement>} */
  #rows = new WeakMap();
  /** @type {WeakMap<Pile, HTMLElement>} */
  #ofPiles = new WeakMap();
  /** @type {WeakMap<Pile, HTMLElement[]>} what stands in the list */
  #shown = new WeakMap();

  /** @param {number} most */
  constructor(most) {
    this.most = most;
    this.#piles = new Piles(most);
    this.element.setAttribute("role", "list"); // a list without marks is none to every screen reader
  }

  get rows() {
    return this.#piles.rows;
  }

  clear() {
    this.#piles = new Piles(this.most);
    this.cut = false;
    this.element.replaceChildren();
  }

  /**
   * What has happened since, oldest first.
   * @param {FeedEvent[]} events
   */
  add(events) {
    /** @type {Set<Pile>} */
    const changed = new Set();
    for (const event of events) {
      this.#row(event).classList.add("fresh");
      const { pile, cut } = this.#piles.add(event);
      for (const one of [pile, ...cut]) changed.add(one);
    }
    for (const pile of changed) this.#show(pile);
  }

  /**
   * What happened before, newest first.
   * @param {FeedEvent[]} events
   */
  addOlder(events) {
    /** @type {Set<Pile>} */
    const changed = new Set();
    for (const event of events) {
      const { pile, cut } = this.#piles.addOlder(event);
      if (cut.size) this.cut = true;
      for (const one of [pile, ...cut]) changed.add(one);
    }
    for (const pile of changed) this.#show(pile);
  }

  /**
   * The events whose high fives are told between these heights of the window, newest first, and the cursor of the last
   * one above them that has one: in a page after it they come first, but for those above that are newer than any page.
   * @param {number} top
   * @param {number} bottom
   */
  between(top, bottom) {
    /** @type {FeedEvent[]} */
    const seen = [];
    /** @type {string | null} */
    let after = null;
    for (const event of this.#piles.all.flatMap(({ events }) => events)) {
      const row = this.#rows.get(event);
      const box = row?.querySelector(".five") && row.getBoundingClientRect();
      if (box?.height && box.bottom > top && box.top < bottom) seen.push(event);
      else if (!seen.length) after = event.cursor ?? after;
    }
    return { seen, after };
  }

  /**
   * What is known anew of events; whether any of their figures has moved.
   * @param {import("./documents.js").Tally[]} tallies
   */
  recount(tallies) {
    const told = new Map(tallies.map((tally) => [tally.id, tally]));
    let moved = false;
    for (const event of this.#piles.all.flatMap(({ events }) => events)) {
      const { cursor, highFives } = told.get(event.id) ?? {};
      event.cursor = cursor ?? event.cursor;
      if (highFives !== undefined) event.countedAt = performance.now();
      if (highFives === undefined || highFives === (event.highFives ?? 0)) continue;
      event.highFives = highFives;
      const row = this.#rows.get(event);
      if (row) renewFive(row, event);
      moved = true;
    }
    return moved;
  }

  tellTimes() {
    for (const time of this.element.querySelectorAll("time")) time.textContent = ago(time.dateTime);
  }

  /**
   * Makes the rows of a pile what they should be now, at its place among the others.
   * @param {Pile} pile
   */
  #show(pile) {
    const before = this.#shown.get(pile) ?? [];
    const rows = isOne(pile) ? [this.#whole(pile)] : pile.events.map((one) => this.#row(one));
    for (const row of before) if (!rows.includes(row)) row.remove();
    this.#shown.set(pile, rows);
    let next = this.#after(pile);
    for (const row of [...rows].reverse()) {
      if (row.nextSibling !== next || !row.parentNode) this.element.insertBefore(row, next);
      next = row;
    }
  }

  /**
   * The row before which those of a pile end; null at the end of the list.
   * @param {Pile} pile
   */
  #after(pile) {
    const { all } = this.#piles;
    for (let at = all.indexOf(pile) + 1; at > 0 && at < all.length; at += 1) {
      const [row] = this.#shown.get(all[at]) ?? [];
      if (row?.parentNode) return row;
    }
    return null;
  }

  /** @param {Pile} pile */
  #whole(pile) {
    const known = this.#ofPiles.get(pile);
    /** @type {(event: FeedEvent) => HTMLElement} */
    const row = (event) => this.#row(event);
    if (known) renewPile(known, pile, row);
    const shown = known ?? rowOfPile(pile, row);
    this.#ofPiles.set(pile, shown);
    return shown;
  }

  /** @param {FeedEvent} event */
  #row(event) {
    const row = this.#rows.get(event) ?? rowOf(event, this.applaud);
    this.#rows.set(event, row);
    return row;
  }
}
