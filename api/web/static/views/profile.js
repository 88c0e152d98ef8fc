// @ts-check
/** What a profile tells, one's own and those of others: level, figures, achievements. */
import { ago, count, figure } from "../words.js";
import { bar, day, hint, link, make } from "./kit.js";
import { climbed } from "./levels.js";

/** @typedef {import("./documents.js").Profile} Profile */

const PRESENCE = { ONLINE: "Online", TRAINING: "Training now", OFFLINE: "Not here" };

/** @param {Profile} profile */
export function head({ name, level, xp, archetype, presence }) {
  const { done, all } = climbed(xp, level);
  return [
    make("h2", { class: "name" }, name),
    make(
      "p",
      { class: "hint" },
      [archetype?.name, presence && here(presence)].filter(Boolean).join(" · ") || "No way to train chosen yet",
    ),
    make(
      "div",
      { class: "level" },
      make("strong", {}, `Level ${figure(level)}`),
      bar(done, all),
      make("span", { class: "hint" }, `${figure(xp)} XP, ${figure(all - done)} to level ${figure(level + 1)}`),
    ),
  ];
}

/** @param {NonNullable<Profile["presence"]>} presence */
const here = ({ state, lastSeen }) =>
  state === "OFFLINE" && lastSeen ? `Last seen ${ago(lastSeen)}` : PRESENCE[state];

/**
 * @param {Profile} profile
 * @param {...{words: string, value: string}} more
 */
export function figures({ id, streak, followers, following }, ...more) {
  /** @type {{words: string, value: string | HTMLElement}[]} */
  const all = [
    { words: "Streak", value: count(streak, "day") },
    ...more,
    { words: "Followers", value: link(`people/followers/${id}`, figure(followers)) },
    { words: "Following", value: link(`people/following/${id}`, figure(following)) },
  ];
  return make(
    "dl",
    { class: "figures" },
    ...all.map(({ words, value }) => make("div", {}, make("dt", {}, words), make("dd", {}, value))),
  );
}

/**
 * What somebody has earned, the newest first, and what there is to earn yet.
 * @param {import("./documents.js").Earned[]} earned
 * @param {import("./documents.js").Named[]} [all]
 */
export function achievements(earned, all = []) {
  const has = new Set(earned.map(({ achievement }) => achievement.id));
  const rest = all.filter(({ id }) => !has.has(id));
  const got = earned.map(({ achievement, earnedAt }) => badge(achievement, day(earnedAt)));
  return make(
    "div",
    {},
    got.length
      ? make("ul", { class: "badges", role: "list", "aria-label": "Achievements" }, ...got)
      : hint("None yet: the first comes with the first workout."),
    rest.length > 0 &&
      make(
        "details",
        {},
        make("summary", {}, `${count(rest.length, "achievement")} to earn`),
        make("ul", { class: "badges", role: "list" }, ...rest.map((one) => badge(one, ""))),
      ),
  );
}

/**
 * @param {import("./documents.js").Named} achievement
 * @param {string} when
 */
const badge = ({ name, description }, when) =>
  make(
    "li",
    { class: when ? "earned" : null },
    make("strong", {}, name),
    make("span", { class: "hint" }, [description, when].filter(Boolean).join(" ")),
  );
