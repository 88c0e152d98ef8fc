// @ts-check
/** What the row of an event looks like: its picture, its hue, and the figure that the picture wears. Pure. */
import { figure, isFigure } from "./words.js";

/**
 * @typedef {object} Look
 * @property {string} icon  of icons.js
 * @property {string} tone  a hue of the style sheet
 * @property {string} [badge]
 *
 * @typedef {import("./protocol.js").EventData} EventData
 */

/** @type {Record<string, (data: EventData) => Look>} */
const OF_TYPES = {
  workout_completed: () => ({ icon: "workout", tone: "accent" }),
  level_up: ({ level }) => ({ icon: "level", tone: "grape", badge: worn(level) }),
  milestone_achieved: milestone,
  challenge_completed: ({ reward_xp: reward }) => ({ icon: "flag", tone: "cool", badge: worn(reward, "+") }),
  high_five: () => ({ icon: "hand", tone: "warm" }),
  follow_requested: () => ({ icon: "person", tone: "soft" }),
  followed: () => ({ icon: "person", tone: "soft" }),
  credits_granted: ({ credits }) => ({ icon: "coin", tone: "warm", badge: worn(credits, "+") }),
};

/** @type {Record<string, Look>} */
const OF_PILES = {
  workouts: { icon: "workout", tone: "accent" },
  deeds: { icon: "medal", tone: "grape" },
  high_fives: { icon: "hand", tone: "warm" },
  followers: { icon: "person", tone: "soft" },
};

/**
 * @param {Pick<import("./protocol.js").FeedEvent, "type" | "data">} event
 * @returns {Look}
 */
export function lookOf({ type, data }) {
  const of = Object.hasOwn(OF_TYPES, type) ? OF_TYPES[type] : null;
  return of ? of(data ?? {}) : { icon: "workout", tone: "soft" };
}

/**
 * @param {import("./piles.js").Pile} pile
 * @returns {Look}
 */
export const lookOfPile = ({ kind, count }) => ({ ...OF_PILES[kind], badge: worn(count) });

/** @param {EventData} data */
function milestone({ kind, value }) {
  if (kind === "streak") return { icon: "flame", tone: "warm", badge: worn(value) };
  if (kind === "record") return { icon: "trophy", tone: "rose" };
  return { icon: "medal", tone: "cool", badge: worn(value) };
}

/**
 * @param {unknown} value
 * @param {string} [sign]
 */
const worn = (value, sign = "") => (isFigure(value) ? sign + figure(value) : undefined);
