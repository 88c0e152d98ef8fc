// @ts-check
/**
 * Which events of a feed make one row: neighbours that say the same, when they pour. Pure.
 *
 * A pile is events that stand next to each other, newest first, as the feed is. It is told as one row once it has as
 * many as its kind asks for; until then each has a row of its own.
 */

/** @typedef {import("./protocol.js").FeedEvent} FeedEvent */

/**
 * @typedef {object} Kind
 * @property {number} least  so many are told as one
 * @property {number} withinMs  between the newest and the oldest of a pile
 */

/** @type {Record<string, Kind>} */
export const KINDS = {
  workouts: { least: 5, withinMs: 4_000 }, // more than one can read
  deeds: { least: 3, withinMs: 10_000 }, // what one workout made of somebody
  high_fives: { least: 3, withinMs: 3_600_000 },
  followers: { least: 3, withinMs: 86_400_000 },
};
const DEEDS = new Set(["level_up", "milestone_achieved", "challenge_completed"]);
const OTHERS = new Map([
  ["high_five", "high_fives"],
  ["followed", "followers"],
]);

/**
 * @typedef {object} Pile
 * @property {string} kind
 * @property {string} key
 * @property {FeedEvent[]} events  of those, no more than PILE_KEPT
 * @property {number} count
 */
export const PILE_KEPT = 50;

/**
 * {kind, key} of the pile that an event may be in; null for one that is always told alone. Workouts of the past are: they
 * pour no more, and the community is told of the minute alone when they were.
 * @param {FeedEvent} event
 */
export function pileOf({ type, actor, heardAt }) {
  if (DEEDS.has(type)) return actor ? { kind: "deeds", key: `deeds ${actor.id}` } : null;
  const pours = type === "workout_completed" && !actor && heardAt !== undefined;
  const kind = pours ? "workouts" : OTHERS.get(type);
  return kind ? { kind, key: kind } : null;
}

/** @param {Pile} pile */
export const isOne = ({ kind, count }) => kind !== "" && count >= KINDS[kind].least;

/** The events of a feed, newest first, in piles; never more than `most` rows. */
export class Piles {
  /** @type {Pile[]} */
  all = [];
  #most;
  #rows = 0;

  /** @param {number} most */
  constructor(most) {
    this.#most = most;
  }

  get rows() {
    return this.#rows;
  }

  /**
   * Takes an event that is newer than all others: the pile that has it now, and those whose oldest events had to go.
   * @param {FeedEvent} event
   */
  add(event) {
    const pile = this.#take(event, "unshift");
    return { pile, cut: this.#cut("pop") };
  }

  /**
   * Takes an event that is older than all others: the pile that has it now, and those whose newest events had to go.
   * @param {FeedEvent} event
   */
  addOlder(event) {
    const pile = this.#take(event, "push");
    return { pile, cut: this.#cut("shift") };
  }

  /**
   * @param {FeedEvent} event
   * @param {"push" | "unshift"} end
   */
  #take(event, end) {
    const mine = pileOf(event);
    const neighbour = this.all.at(end === "push" ? -1 : 0);
    if (!neighbour || mine?.key !== neighbour.key || !near(event, neighbour)) {
      const pile = { kind: mine?.kind ?? "", key: mine?.key ?? "", events: [event], count: 1 };
      this.all[end](pile);
      this.#rows += 1;
      return pile;
    }
    this.#rows -= rowsOf(neighbour);
    neighbour.count += 1;
    neighbour.events[end](event);
    if (neighbour.events.length > PILE_KEPT) neighbour.events.pop();
    this.#rows += rowsOf(neighbour);
    return neighbour;
  }

  /** @param {"pop" | "shift"} end */
  #cut(end) {
    /** @type {Set<Pile>} */
    const cut = new Set();
    while (this.#rows > this.#most) {
      const pile = end === "pop" ? this.all[this.all.length - 1] : this.all[0];
      this.#rows -= 1;
      if (isOne(pile)) pile.events = [];
      else pile.events[end]();
      pile.count = pile.events.length;
      cut.add(pile);
      if (!pile.count) this.all[end]();
    }
    return cut;
  }
}

/** @param {Pile} pile */
const rowsOf = (pile) => (isOne(pile) ? 1 : pile.count);

/**
 * @param {FeedEvent} event
 * @param {Pile} pile
 */
function near(event, { kind, events }) {
  const at = timeOf(event);
  return [events[0], events[events.length - 1]].every((one) => Math.abs(at - timeOf(one)) <= KINDS[kind].withinMs);
}

/** @param {FeedEvent} event */
const timeOf = ({ created_at: at, heardAt }) => heardAt ?? Date.parse(at);
