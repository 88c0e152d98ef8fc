// @ts-check
/** Who is ahead: by experience, volume or streak, this week, this month or ever. */
import { ago, count, figure } from "../words.js";
import { LEADERBOARD } from "./documents.js";
import { card, hint, link, make, pages, tabs, view } from "./kit.js";

/** @typedef {import("./documents.js").Place} Place */

const BOARDS = { xp: "XP", volume: "Volume", streak: "Streak" };
const PERIODS = { week: "This week", month: "This month", all_time: "All time" };
const UNITS = { xp: ["XP", "XP"], volume: ["training unit", "training units"], streak: ["day", "days"] };

/** @type {import("../router.js").Show} */
export async function show({ session }, board = "xp", period = "week") {
  const what = /** @type {keyof typeof BOARDS} */ (Object.hasOwn(BOARDS, board) ? board : "xp");
  const when = /** @type {keyof typeof PERIODS} */ (Object.hasOwn(PERIODS, period) ? period : "week");
  const variables = { board: what.toUpperCase(), period: when.toUpperCase() };
  /** @type {import("./documents.js").Board} */
  let known = { me: null, refreshedAt: null };
  const page = async (/** @type {string | null} */ after) => {
    const { leaderboard } = await session.graphql(LEADERBOARD, { ...variables, after });
    known = leaderboard;
    return leaderboard;
  };
  const row = (/** @type {Place} */ place) => placed(place, UNITS[what]);
  const nobody = hint(
    "Nobody is on this list yet. Lists are made anew every five minutes: ",
    link("", "log a workout"),
    ".",
  );
  const list = await pages("Leaderboard", page, row, nobody);
  const boards = Object.entries(BOARDS).map(([name, words]) => ({ to: `leaderboard/${name}/${when}`, words }));
  const periods = Object.entries(PERIODS).map(([name, words]) => ({ to: `leaderboard/${what}/${name}`, words }));
  const here = `leaderboard/${what}/${when}`;
  return view(
    tabs("What counts", boards, here),
    tabs("Of which time", periods, here),
    card(
      "Leaderboard",
      known.me && make("ul", { class: "rows own", role: "list", "aria-label": "Your place" }, row(known.me)),
      list,
      known.refreshedAt &&
        hint(`As of ${ago(known.refreshedAt)}. Who is not seen by everyone has a place, but no name.`),
    ),
  );
}

/**
 * @param {Place} place
 * @param {string[]} unit  one, many
 */
function placed({ rank, profile, score, me }, [one, many]) {
  const name = profile
    ? link(me ? "me" : `person/${profile.id}`, profile.name)
    : make("span", { class: "hint" }, "Somebody");
  return make(
    "li",
    { class: me ? "row mine" : "row" },
    make("span", { class: "rank" }, figure(rank)),
    make("span", { class: "who-row" }, name, me && make("span", { class: "hint" }, "You")),
    make("span", {}, count(Math.round(score), one, many)),
  );
}
