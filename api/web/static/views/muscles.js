// @ts-check
/** What one has trained: each muscle over the last weeks, and one of them week by week. */
import { figure } from "../words.js";
import { WORKOUTS } from "./documents.js";
import { bar, card, day, hint, link, make, view } from "./kit.js";
import { histories, mondayOf } from "./levels.js";

const WEEKS = 12;
const PAGES_MAX = 10; // of 100 workouts
const LATEST = 10;
const SHORT = /** @type {const} */ ({ day: "numeric", month: "short" });

/** @typedef {{id: string, totalTu: number} & import("./levels.js").Trained} Workout */

/** @type {import("../router.js").Show} */
export async function show({ session }, slug) {
  const now = Date.now();
  const workouts = await since(session, mondayOf(now, WEEKS - 1).toISOString());
  const all = histories(workouts, now, WEEKS);
  if (!all.length) {
    return view(
      card("My muscles", hint(`No workout in the last ${WEEKS} weeks. `, link("", "Log one"), ", and it stands here.")),
    );
  }
  const one = all.find((history) => history.slug === slug);
  if (slug && !one) {
    return view(
      card("My muscles", hint(`Not trained in the last ${WEEKS} weeks. `, link("muscles", "See all muscles"))),
    );
  }
  return view(...(one ? [weeks(one, now), latest(one, workouts)] : [overview(all)]));
}

/**
 * One's workouts since then, newest first, by when they were logged: pages end where a whole one is older.
 * @param {import("../session.js").Session} session
 * @param {string} from
 */
async function since(session, from) {
  /** @type {Workout[]} */
  const found = [];
  /** @type {string | null} */
  let after = null;
  for (let read = 0; read < PAGES_MAX; read += 1) {
    const { workouts } = /** @type {{workouts: import("./kit.js").Connection<Workout>}} */ (
      await session.graphql(WORKOUTS, { after })
    );
    const page = workouts.edges.map(({ node }) => node);
    found.push(...page);
    after = workouts.pageInfo.endCursor;
    if (!workouts.pageInfo.hasNextPage || page.every(({ performedAt }) => performedAt < from)) break;
  }
  return found;
}

/** @param {import("./levels.js").History[]} all */
function overview(all) {
  const rows = all.map(({ slug, name, units }) =>
    make("li", {}, link(`muscles/${slug}`, name), bar(units, all[0].units), make("span", {}, figure(units))),
  );
  return card(
    "My muscles",
    hint(`Training units of the last ${WEEKS} weeks. Choose a muscle for its history.`),
    make("ul", { class: "bars", role: "list", "aria-label": "Muscles" }, ...rows),
  );
}

/**
 * @param {import("./levels.js").History} history
 * @param {number} now
 */
function weeks({ name, weeks: units }, now) {
  const most = Math.max(...units);
  const rows = units.map((value, index) => {
    const monday = mondayOf(now, WEEKS - 1 - index).toISOString();
    return make("li", {}, make("span", {}, day(monday, SHORT)), bar(value, most), make("span", {}, figure(value)));
  });
  return card(
    name,
    hint("Training units by week, from Monday on. ", link("muscles", "All muscles")),
    make("ol", { class: "bars", role: "list", "aria-label": `${name} by week` }, ...rows),
  );
}

/**
 * @param {import("./levels.js").History} history
 * @param {Workout[]} workouts
 */
function latest({ slug }, workouts) {
  const rows = workouts.flatMap(({ performedAt, muscles }) => {
    const part = muscles.find(({ muscle }) => muscle.slug === slug);
    return part ? [make("li", { class: "row" }, day(performedAt), make("span", {}, figure(part.trainingUnits)))] : [];
  });
  return card("Latest workouts with it", make("ul", { class: "rows", role: "list" }, ...rows.slice(0, LATEST)));
}
