// @ts-check
/** What figures of the community mean. Pure. */

const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

/**
 * XP at which a level begins: the contract's level = 1 + ⌊(√(1 + xp / 12.5) − 1) / 2⌋, turned round.
 * @param {number} level
 */
export const xpOf = (level) => 50 * level * (level - 1);

/**
 * How far somebody is on the way to the next level.
 * @param {number} xp
 * @param {number} level
 */
export const climbed = (xp, level) => ({ done: xp - xpOf(level), all: xpOf(level + 1) - xpOf(level) });

/**
 * @typedef {{performedAt: string, muscles: {muscle: {slug: string, name: string}, trainingUnits: number}[]}} Trained
 * @typedef {{slug: string, name: string, units: number, weeks: number[]}} History
 */

/**
 * The Monday, by this device's calendar, of the week that is `ago` weeks before the one of `now`.
 * @param {number} now  ms
 * @param {number} ago
 */
export function mondayOf(now, ago) {
  const day = new Date(now);
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - ((day.getDay() + WEEK_DAYS - 1) % WEEK_DAYS) - ago * WEEK_DAYS);
  return day;
}

/**
 * Training units of each muscle in each of the last weeks, oldest first; those that were trained most first.
 * @param {Trained[]} workouts
 * @param {number} now  ms
 * @param {number} weeks
 * @returns {History[]}
 */
export function histories(workouts, now, weeks) {
  /** @type {Map<string, History>} */
  const found = new Map();
  const first = mondayOf(now, weeks - 1).getTime();
  for (const { performedAt, muscles } of workouts) {
    // Rounded: a week in which clocks are put forward is an hour short.
    const monday = mondayOf(Date.parse(performedAt), 0).getTime();
    const week = Math.round((monday - first) / (WEEK_DAYS * DAY_MS));
    if (week < 0 || week >= weeks) continue;
    for (const { muscle, trainingUnits } of muscles) {
      let history = found.get(muscle.slug);
      if (!history) {
        history = { slug: muscle.slug, name: muscle.name, units: 0, weeks: Array(weeks).fill(0) };
        found.set(muscle.slug, history);
      }
      history.units += trainingUnits;
      history.weeks[week] += trainingUnits;
    }
  }
  return [...found.values()].sort((a, b) => b.units - a.units);
}
