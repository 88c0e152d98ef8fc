// @ts-check
/** What there is to do today and this week, how far one is, and what it brings. */
import { count, figure } from "../words.js";
import { CHALLENGES, JOIN_CHALLENGE } from "./documents.js";
import { action, bar, card, hint, link, make, view } from "./kit.js";

/**
 * @typedef {import("../router.js").Context} Context
 * @typedef {import("./documents.js").Challenge} Challenge
 */

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;

/** @type {import("../router.js").Show} */
export async function show(context) {
  const { challenges } = await context.session.graphql(CHALLENGES);
  const now = Date.now();
  const open = challenges.filter(({ endsAt }) => Date.parse(endsAt) > now);
  const over = challenges.filter(({ endsAt }) => Date.parse(endsAt) <= now);
  const row = (/** @type {Challenge} */ one) => challengeRow(context, one, now);
  /** @type {(title: string, rows: Challenge[], empty: string) => HTMLElement} */
  const part = (title, rows, empty) =>
    card(
      title,
      rows.length ? make("ul", { class: "rows", role: "list", "aria-label": title }, ...rows.map(row)) : hint(empty),
    );
  return view(
    part(
      "Today",
      open.filter(({ kind }) => kind === "DAILY"),
      "None today.",
    ),
    part(
      "This week",
      open.filter(({ kind }) => kind === "COMMUNITY"),
      "None this week.",
    ),
    over.length > 0 && part("Over", over, ""),
    hint("Workouts count by themselves, also those that you log later for their day. ", link("", "Log a workout")),
  );
}

/**
 * @param {Context} context
 * @param {Challenge} challenge
 * @param {number} now
 * @returns {HTMLElement}
 */
function challengeRow(context, challenge, now) {
  const { id, name, description, target, progress, rewardXp, state } = challenge;
  const join = async () => {
    const { joinChallenge } = await context.session.graphql(JOIN_CHALLENGE, { id });
    made.replaceWith(challengeRow(context, joinChallenge, now));
  };
  const made = make(
    "li",
    { class: "row challenge" },
    make("span", { class: "who-row" }, make("strong", {}, name), make("span", { class: "hint" }, description)),
    bar(Math.min(progress, target), target),
    make("span", {}, `${figure(Math.min(progress, target))} of ${figure(target)}`),
    make("span", { class: "hint" }, `${figure(rewardXp)} XP · ${standing(challenge, now)}`),
    state === "OPEN" &&
      challenge.kind === "COMMUNITY" &&
      action("Join", join, { class: "primary", "aria-label": `Join: ${name}` }),
  );
  return made;
}

/**
 * @param {Challenge} challenge
 * @param {number} now
 */
function standing({ kind, state, endsAt }, now) {
  if (state === "COMPLETED") return "done";
  if (state === "EXPIRED") return "over";
  const hours = Math.max(1, Math.ceil((Date.parse(endsAt) - now) / HOUR_MS));
  const left = hours > 2 * DAY_HOURS ? count(Math.floor(hours / DAY_HOURS), "day") : count(hours, "hour");
  return kind === "COMMUNITY" && state === "JOINED" ? `joined, ${left} left` : `${left} left`;
}
